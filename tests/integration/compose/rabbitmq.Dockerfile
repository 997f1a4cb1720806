# Stands in for the official RabbitMQ image where no registry is reachable: Debian's broker, with the parts of that image's
# interface that compose.yaml uses (conf.d, /var/lib/rabbitmq, the tools on the PATH).
ARG BASE
FROM ${BASE}
RUN apt-get update -qq && \
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends rabbitmq-server && \
    rm -rf /var/lib/apt/lists/* /var/lib/rabbitmq/* /var/lib/rabbitmq/.erlang.cookie && \
    install -d -o rabbitmq -g rabbitmq /etc/rabbitmq/conf.d
ENV PATH=/usr/lib/rabbitmq/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/var/lib/rabbitmq LANG=C.UTF-8 \
    RABBITMQ_CONFIG_FILES=/etc/rabbitmq/conf.d RABBITMQ_LOGS=-
USER rabbitmq
VOLUME /var/lib/rabbitmq
CMD ["rabbitmq-server"]
