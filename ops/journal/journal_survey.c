#include "ops/journal/journal_survey.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/journal/journal_progress.h"
#include "shared/journal/journal_recover.h"
#include "shared/journal/journal_walk.h"

struct known {
    uint64_t first_seq;
    uint32_t flags;
    bool is_there;  /* the owner may have removed it since it was listed */
    bool is_proven; /* its header says who it is */
};

struct survey {
    const struct ops_journal_visitor *visitor;
    struct ops_journal_survey *out;
    struct sl_journal_progress progress;
    int dir_fd;
    struct known *known;
    size_t count;
    uint64_t expected_seq; /* 0: none was seen yet */
    bool is_poison;        /* every file stands for itself */
    bool is_over;          /* the visitor has seen enough */
};

static void survey_done(struct survey *survey);
static bool read_folder(struct survey *survey, struct sl_err *err);
static bool list_segments(struct survey *survey, struct sl_err *err);
static bool look_at_header(struct survey *survey, struct known *known, struct sl_err *err);
static bool read_segment(struct survey *survey, size_t i, struct sl_err *err);
static void read_header(struct survey *survey, const struct sl_journal_walk *walk,
                        const char *name);
static bool read_records(struct survey *survey, size_t i, struct sl_journal_walk *walk,
                         const char *name, struct sl_err *err);
static void take_event(struct survey *survey, const struct sl_journal_walk *walk, const char *name,
                       const struct sl_journal_record *record);
static bool is_resolved(const struct survey *survey, const struct sl_journal_walk *walk,
                        uint64_t seq);
static void take_end(struct survey *survey, size_t i, const struct sl_journal_walk *walk,
                     const char *name, const struct sl_journal_item *end);
static uint64_t limit_of(const struct survey *survey, size_t i);
static bool must_be_sealed(const struct survey *survey, size_t i);
static void tell_gap(struct survey *survey, const char *name, uint64_t behind);
static void tell(struct survey *survey, const struct ops_journal_damage *damage);
static uint64_t count_files(int dir_fd, const char *folder, const char *part);

bool ops_journal_survey(const char *dir, const struct ops_journal_visitor *visitor,
                        struct ops_journal_survey *out_survey, int *out_errno, struct sl_err *err)
{
    *out_survey = (struct ops_journal_survey){ 0 };
    SL_DONE(survey_done) struct survey survey = { .visitor = visitor, .out = out_survey };
    errno = 0;
    survey.dir_fd = sl_journal_store_look(dir, &out_survey->is_owned, err);
    *out_errno = errno;
    if (survey.dir_fd < 0 ||
        !sl_journal_progress_load(&survey.progress, &sl_journal_io_real, survey.dir_fd, err)) {
        return false;
    }
    if (survey.progress.is_damaged) {
        tell(&survey, &(struct ops_journal_damage){ .segment = SL_JOURNAL_PROGRESS_NAME,
                                                    .what = SL_JOURNAL_TELL_PROGRESS_LOST });
    }
    out_survey->set_aside = count_files(survey.dir_fd, ".", ".corrupt-");
    out_survey->poisoned = count_files(survey.dir_fd, SL_JOURNAL_POISON_NAME, ".slj");
    return read_folder(&survey, err);
}

bool ops_journal_survey_poison(const char *dir, const struct ops_journal_visitor *visitor,
                               struct sl_err *err)
{
    struct ops_journal_survey out = { 0 };
    SL_DONE(survey_done)
    struct survey survey = { .visitor = visitor, .out = &out, .is_poison = true };
    int parent = sl_journal_store_look(dir, &out.is_owned, err);
    survey.dir_fd = parent < 0 ? -1
                               : openat(parent, SL_JOURNAL_POISON_NAME,
                                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int failed = errno;
    if (parent >= 0) {
        (void)close(parent);
    }
    if (parent >= 0 && survey.dir_fd < 0) {
        return failed == ENOENT || sl_fail(err, SL_E_IO, "cannot open %s/%s: %s", dir,
                                           SL_JOURNAL_POISON_NAME, strerror(failed));
    }
    return survey.dir_fd >= 0 && read_folder(&survey, err);
}

static void survey_done(struct survey *survey)
{
    if (survey->dir_fd >= 0) {
        (void)close(survey->dir_fd);
    }
    sl_journal_progress_done(&survey->progress);
    free(survey->known);
}

static bool read_folder(struct survey *survey, struct sl_err *err)
{
    if (!list_segments(survey, err)) {
        return false;
    }
    for (size_t i = 0; i < survey->count && !survey->is_over; i++) {
        if (survey->known[i].is_there && !read_segment(survey, i, err)) {
            return false;
        }
    }
    return true;
}

static bool list_segments(struct survey *survey, struct sl_err *err)
{
    uint64_t *first_seqs = NULL;
    if (!sl_journal_list(survey->dir_fd, &first_seqs, &survey->count, err)) {
        return false;
    }
    survey->known = calloc(survey->count + 1, sizeof *survey->known);
    bool is_looked =
        survey->known != NULL || sl_fail(err, SL_E_MEMORY, "no memory to list the journal");
    for (size_t i = 0; is_looked && i < survey->count; i++) {
        survey->known[i].first_seq = first_seqs[i];
        is_looked = look_at_header(survey, &survey->known[i], err);
    }
    free(first_seqs);
    return is_looked;
}

static bool look_at_header(struct survey *survey, struct known *known, struct sl_err *err)
{
    SL_DONE(sl_journal_walk_done) struct sl_journal_walk walk = { 0 };
    char name[SL_JOURNAL_NAME_BYTES];
    sl_journal_name(known->first_seq, name);
    if (!sl_journal_walk_open(&walk, &sl_journal_io_real, survey->dir_fd, name, known->first_seq,
                              err)) {
        /* Removed by its owner, who had published all of it. */
        return survey->out->is_owned && faccessat(survey->dir_fd, name, F_OK, 0) != 0;
    }
    if (walk.header_state == SL_JOURNAL_HEADER_NEWER) {
        return sl_fail(err, SL_E_JOURNAL_VERSION, "%s has version %u; this program knows up to %u",
                       name, walk.header.version, SL_JOURNAL_VERSION);
    }
    known->is_there = true;
    known->is_proven = walk.header_state != SL_JOURNAL_HEADER_DAMAGED;
    known->flags = walk.header.flags;
    return true;
}

static bool read_segment(struct survey *survey, size_t i, struct sl_err *err)
{
    SL_DONE(sl_journal_walk_done) struct sl_journal_walk walk = { 0 };
    uint64_t first_seq = survey->known[i].first_seq;
    char name[SL_JOURNAL_NAME_BYTES];
    sl_journal_name(first_seq, name);
    if (!sl_journal_walk_open(&walk, &sl_journal_io_real, survey->dir_fd, name, first_seq, err)) {
        return survey->out->is_owned && faccessat(survey->dir_fd, name, F_OK, 0) != 0;
    }
    survey->out->segments++;
    read_header(survey, &walk, name);
    if (!survey->is_poison) {
        tell_gap(survey, name, first_seq);
        survey->expected_seq = survey->expected_seq < first_seq ? first_seq : survey->expected_seq;
    }
    return read_records(survey, i, &walk, name, err);
}

static void read_header(struct survey *survey, const struct sl_journal_walk *walk, const char *name)
{
    if (walk->header_state == SL_JOURNAL_HEADER_GOOD) {
        return;
    }
    bool is_mended = walk->header_state == SL_JOURNAL_HEADER_MENDED;
    tell(survey, &(struct ops_journal_damage){ .segment = name,
                                               .what = is_mended ? SL_JOURNAL_TELL_HEADER_MENDED
                                                                 : SL_JOURNAL_TELL_HEADER_DAMAGED,
                                               .bytes = SL_JOURNAL_HEADER_BYTES });
}

static bool read_records(struct survey *survey, size_t i, struct sl_journal_walk *walk,
                         const char *name, struct sl_err *err)
{
    sl_journal_walk_begin(walk, limit_of(survey, i), walk->file_bytes);
    while (!survey->is_over) {
        struct sl_journal_item item = { 0 };
        enum sl_journal_found found = SL_JOURNAL_FOUND_END;
        if (!sl_journal_walk_next(walk, &found, &item, err)) {
            return sl_err_wrap(err, "%s", name);
        }
        if (found == SL_JOURNAL_FOUND_END) {
            take_end(survey, i, walk, name, &item);
            return true;
        }
        if (found == SL_JOURNAL_FOUND_RECORD) {
            take_event(survey, walk, name, &item.record);
            continue;
        }
        tell(survey, &(struct ops_journal_damage){ .segment = name,
                                                   .what = SL_JOURNAL_TELL_HOLE,
                                                   .offset = item.offset,
                                                   .bytes = item.bytes });
    }
    return true;
}

/* Numbers of the next proven segments belong to them. */
static uint64_t limit_of(const struct survey *survey, size_t i)
{
    for (size_t next = i + 1; !survey->is_poison && next < survey->count; next++) {
        if (survey->known[next].is_there && survey->known[next].is_proven) {
            return survey->known[next].first_seq;
        }
    }
    return UINT64_MAX;
}

static void take_event(struct survey *survey, const struct sl_journal_walk *walk, const char *name,
                       const struct sl_journal_record *record)
{
    struct ops_journal_survey *out = survey->out;
    bool is_done = is_resolved(survey, walk, record->seq);
    if (!survey->is_poison) {
        tell_gap(survey, name, record->seq);
        survey->expected_seq = record->seq + 1;
    }
    out->events++;
    out->resolved += is_done ? 1 : 0;
    if (!is_done && (out->oldest_ns == 0 || record->received_ns < out->oldest_ns)) {
        out->oldest_ns = record->received_ns;
    }
    if (survey->visitor->on_event != NULL) {
        survey->is_over = !survey->visitor->on_event(survey->visitor->arg, name, record, is_done);
    }
}

static bool is_resolved(const struct survey *survey, const struct sl_journal_walk *walk,
                        uint64_t seq)
{
    size_t bytes = 0;
    const uint8_t *bits = sl_journal_progress_bits(&survey->progress, walk->header.first_seq,
                                                   walk->header.salt, &bytes);
    uint64_t bit = seq - walk->header.first_seq;
    return bits != NULL && bit / 8 < bytes && (bits[bit / 8] & (1u << bit % 8)) != 0;
}

static void take_end(struct survey *survey, size_t i, const struct sl_journal_walk *walk,
                     const char *name, const struct sl_journal_item *end)
{
    survey->out->bytes += walk->scan.end;
    bool is_torn = end->ending == SL_JOURNAL_ENDING_TORN;
    if (sl_journal_ending_is_loss(end->ending, must_be_sealed(survey, i))) {
        uint64_t found = walk->scan.records;
        bool counts = end->ending == SL_JOURNAL_ENDING_SEAL_DIFFERS && end->claimed_records > found;
        tell(survey,
             &(struct ops_journal_damage){ .segment = name,
                                           .what = SL_JOURNAL_TELL_SEAL_MISSING,
                                           .offset = end->offset,
                                           .bytes = is_torn ? end->bytes : 0,
                                           .events = counts ? end->claimed_records - found : 0 });
    } else if (is_torn && !(survey->out->is_owned && i + 1 == survey->count)) {
        tell(survey, &(struct ops_journal_damage){ .segment = name,
                                                   .what = SL_JOURNAL_TELL_TORN_TAIL,
                                                   .offset = end->offset,
                                                   .bytes = end->bytes });
    }
}

static bool must_be_sealed(const struct survey *survey, size_t i)
{
    if (survey->is_poison) {
        return true;
    }
    bool is_last = i + 1 == survey->count;
    return sl_journal_must_be_sealed(is_last, is_last ? 0 : survey->known[i + 1].flags);
}

static void tell_gap(struct survey *survey, const char *name, uint64_t behind)
{
    if (survey->expected_seq != 0 && behind > survey->expected_seq) {
        tell(survey, &(struct ops_journal_damage){ .segment = name,
                                                   .what = SL_JOURNAL_TELL_GAP,
                                                   .events = behind - survey->expected_seq,
                                                   .first = survey->expected_seq });
    }
}

static void tell(struct survey *survey, const struct ops_journal_damage *damage)
{
    if (survey->visitor->on_damage != NULL) {
        survey->visitor->on_damage(survey->visitor->arg, damage);
    }
}

/* Names in a folder that hold `part`; 0 without the folder. */
static uint64_t count_files(int dir_fd, const char *folder, const char *part)
{
    int fd = openat(dir_fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *listing = fd < 0 ? NULL : fdopendir(fd);
    uint64_t count = 0;
    for (const struct dirent *entry = NULL;
         listing != NULL && (entry = readdir(listing)) != NULL;) {
        count += strstr(entry->d_name, part) != NULL ? 1 : 0;
    }
    if (listing != NULL) {
        (void)closedir(listing);
    } else if (fd >= 0) {
        (void)close(fd);
    }
    return count;
}
