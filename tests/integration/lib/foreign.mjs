// foreign - what other stacks leave on a message that they have given up or are to try again.
const death = (queue, count = 1) => ({ queue, reason: 'expired', count, exchange: queue, 'routing-keys': ['a'] });

export const foreign = {
  // As if it had gone through our own delays already: a broker that believed it would see a cycle and drop the message.
  rabbitmq: {
    'x-death': [death('sluice.delay.00'), death('sluice.delay.01', 3), { ...death('sluice.billing'), reason: 'rejected' }],
    'x-first-death-queue': 'sluice.delay.00', 'x-first-death-reason': 'expired', 'x-first-death-exchange': 'sluice.delay.00', 'x-last-death-queue': 'sluice.delay.00', 'x-delivery-count': 7,
  },
  spring: { 'x-exception-message': 'refused', 'x-exception-stacktrace': 'at com.example.Shop'.repeat(100), 'x-original-exchange': 'shop', 'x-original-routingKey': 'shop.order', 'x-retry-count': 3 },
  nservicebus: {
    'NServiceBus.FailedQ': 'shop', 'NServiceBus.TimeOfFailure': '2026-01-01', 'NServiceBus.ExceptionInfo.ExceptionType': 'System.Exception', 'NServiceBus.ExceptionInfo.Message': 'refused',
    'NServiceBus.ExceptionInfo.StackTrace': 'at Shop'.repeat(300), 'NServiceBus.Retries': '5', 'NServiceBus.Retries.Timestamp': '2026-01-01',
  },
  masstransit: { 'MT-Reason': 'fault', 'MT-Fault-ExceptionType': 'System.Exception', 'MT-Fault-Message': 'refused', 'MT-Fault-StackTrace': 'at Shop'.repeat(300), 'MT-Redelivery-Count': 2 },
  celery: { task: 'shop.tasks.order', lang: 'py', root_id: 'r1', parent_id: 'p1', retries: 3, eta: '2036-01-01T00:00:00+00:00', expires: '2026-01-01T00:00:00+00:00', timelimit: [null, null], argsrepr: "('refused',)" },
  others: { 'exception-stack': 'at Wolverine', reason_poisoned: 'refused', 'rascal.error.message': 'refused', 'delivery-attempts': 9, team: 'blue' },
};

export const allForeign = Object.assign({}, ...Object.values(foreign));
