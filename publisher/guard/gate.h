/*
 * gate - keeps paused sources out, and says so once.
 *
 * Carries out what pause.c decides: answers a paused source's requests, ends pauses in time, writes ingest.paused and ingest.resumed when something
 * changes, counts. Works with broker and database both down. A restart of the process ends every pause.
 * Refuses: looking at a paused request: neither its signature nor its body.
 * Threads: the loop it was made for pauses and resumes; every loop asks. Without a pause no lock is taken.
 */
#ifndef PUBLISHER_GATE_H
#define PUBLISHER_GATE_H

#include "publisher/pause.h"
#include "shared/http/http_server.h"
#include "shared/log.h"
#include "shared/metrics.h"

struct pub_gate;

struct pub_gate *pub_gate_new(struct sl_loop *loop, struct sl_log *log, struct sl_metrics *metrics,
                              struct sl_err *err) SL_MUST;
/* Accepts NULL. */
void pub_gate_free(struct pub_gate *gate);

/* source "": all. for_ms 0: until resumed. uid: of who asks, for the log. The errors are those of pause.h. */
bool pub_gate_pause(struct pub_gate *gate, const char *source, int answer, int64_t for_ms,
                    unsigned uid, struct sl_err *err) SL_MUST;
/* *out_count: how many pauses that ended. */
bool pub_gate_resume(struct pub_gate *gate, const char *source, unsigned uid, size_t *out_count,
                     struct sl_err *err) SL_MUST;
/* True: the source is paused, and the request is answered with *out_status. */
bool pub_gate_refuse(struct pub_gate *gate, const char *source, struct sl_http_request *request,
                     int *out_status);
/* What is in force. */
void pub_gate_read_pauses(struct pub_gate *gate, struct pub_pauses *out_pauses);

SL_DEFINE_AUTO(struct pub_gate *, pub_gate_free)

#endif
