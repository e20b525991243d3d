/* Our own events as entries of the journal: a MESSAGE_ID each, and fields by which journalctl finds them (docs/logs.md lists those). */
#pragma once

#include "manager/events.h"

/* Sends the event; never waits. data: its figures, may be NULL; not consumed. Nothing happens where no journal listens. */
void journal_event(Manager *m, const Instance *i, const PendingEvent *e, json_object *data);

/* KINGLY_SERVICE and the like on each line that the run writes to the journal: before it executes, and when nothing of it lives. Only for scopes of
 * the system's systemd (logger/journal_fields.h). */
void journal_label(const Instance *i);
void journal_unlabel(const Instance *i);
