// broker - faults of the shared private RabbitMQ, and their end. Process faults are in integration/lib/servers.mjs.
import { servers } from '../../integration/lib/servers.mjs';
import { until } from '../../integration/lib/stack.mjs';

export const { rabbitmqctl } = servers;

export const alarms = {
  memory: () => rabbitmqctl('set_vm_memory_high_watermark', '0.0000001'),
  memoryOver: () => rabbitmqctl('set_vm_memory_high_watermark', '0.4'),
  disk: () => rabbitmqctl('set_disk_free_limit', '900GB'),
  diskOver: () => rabbitmqctl('set_disk_free_limit', '50MB'),
};

// What one stack's virtual host holds, through the management API.
export class Broker {
  constructor(stack) {
    this.stack = stack;
    this.vhost = encodeURIComponent(stack.name);
  }

  api(method, target, body) {
    return this.stack.api(method, target.replace('%v', this.vhost), body);
  }

  // Messages in all queues; the management database lags by seconds, so only a repeated zero means empty.
  async messages() {
    const queues = await this.api('GET', '/api/queues/%v');
    return queues.reduce((sum, queue) => sum + (queue.messages ?? 0), 0);
  }

  deleteQueue(name) {
    return this.api('DELETE', `/api/queues/%v/${encodeURIComponent(name)}`);
  }

  deleteExchange(name) {
    return this.api('DELETE', `/api/exchanges/%v/${encodeURIComponent(name)}`);
  }

  async unbind(exchange, queue) {
    const bindings = await this.api('GET', `/api/bindings/%v/e/${encodeURIComponent(exchange)}/q/${encodeURIComponent(queue)}`);
    for (const one of bindings) {
      await this.api('DELETE', `/api/bindings/%v/e/${encodeURIComponent(exchange)}/q/${encodeURIComponent(queue)}/${encodeURIComponent(one.properties_key)}`);
    }
    return bindings.length;
  }

  policy(name, pattern, definition) {
    return this.api('PUT', `/api/policies/%v/${name}`, { pattern, definition, priority: 10, 'apply-to': 'queues' });
  }

  policyOff(name) {
    return this.api('DELETE', `/api/policies/%v/${name}`);
  }

  // A user of this virtual host alone; returns the AMQP_URL for it.
  async user(name, password, permissions = { configure: '.*', write: '.*', read: '.*' }) {
    await this.api('PUT', `/api/users/${name}`, { password, tags: '' });
    await this.api('PUT', `/api/permissions/%v/${name}`, permissions);
    const url = new URL(this.stack.amqpUrl);
    url.username = name;
    url.password = password;
    return url.toString();
  }

  userOff(name) {
    return this.api('DELETE', `/api/users/${name}`);
  }

  async apiServes() {
    await until('the management API answers', () => this.api('GET', '/api/overview'), 60000);
  }
}
