/*
 * ingest - `sluice ingest pause|resume|status`: keep webhooks out for a while, and let them in again.
 *
 * Asks the publisher of this machine over its control socket, so it works with broker and database both down. The senders are answered 503 (or 429)
 * with Retry-After and come again; Stripe does for three days.
 * Threads: one.
 */
#ifndef OPS_INGEST_H
#define OPS_INGEST_H

int ops_ingest_pause(int argc, char **argv);
int ops_ingest_resume(int argc, char **argv);
int ops_ingest_status(int argc, char **argv);

extern const char ops_ingest_pause_usage[];
extern const char ops_ingest_resume_usage[];
extern const char ops_ingest_status_usage[];

#endif
