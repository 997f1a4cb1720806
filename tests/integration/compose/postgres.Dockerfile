# Stands in for the official Postgres image where no registry is reachable: Debian's server, with the parts of that image's
# interface that compose.yaml uses (POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD_FILE, /var/lib/postgresql/data).
ARG BASE
FROM ${BASE}
RUN mkdir -p /etc/postgresql-common/createcluster.d && \
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/none.conf && \
    apt-get update -qq && \
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends postgresql-15 && \
    rm -rf /var/lib/apt/lists/* && \
    install -d -o postgres -g postgres -m 700 /var/lib/postgresql/data
COPY postgres-start /usr/local/bin/
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 PGDATA=/var/lib/postgresql/data
USER postgres
VOLUME /var/lib/postgresql/data
CMD ["postgres-start"]
