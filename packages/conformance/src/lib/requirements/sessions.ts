/** What a backend promises about sessions, heads and sweeps. */
export const sessionRequirements = {
  'sessions.create.row':
    'A session that was created is read back as it was given, with version 1, no events, and the time of the call as both of its times',
  'sessions.create.duplicate':
    'A create whose id is taken by a live session, an expired one or a tombstone is refused and replaces nothing',
  'sessions.create.race': 'Of several creates of one id that race, exactly one wins',
  'sessions.ids.bytes': 'Ids are compared byte by byte: nothing is folded, trimmed, cut off or read as a pattern',
  'sessions.texts.opaque': 'Principals and profiles come back byte for byte',
  'sessions.unknown':
    'An id that was never created is not there: reads give undefined, writes change nothing, and no method creates it',
  'sessions.read.asker':
    'A session of another kind or of another principal is not there for who asks; one without a principal is there for everybody',
  'sessions.expiry.reads':
    'From the millisecond of expiresAt every read answers as if the session did not exist, swept or not, on every handle',
  'sessions.expiry.writes':
    'From the millisecond of expiresAt every write is refused and changes nothing, on every handle',
  'sessions.update.compare':
    'A profile is replaced only while it has the expected version; a conflict changes nothing and carries the present row',
  'sessions.update.race': 'Of several updates that expect the same version, exactly one is made',
  'sessions.touch.renews': 'A touch moves expiresAt and touchedAt forward and says whether the session is live',
  'sessions.touch.shortens-never': 'A touch never moves expiresAt or touchedAt back',
  'sessions.renewal.writes':
    'A write that carries expiresAt renews the session in the same step, and never shortens its life',
  'sessions.renewal.none':
    'A write that carries no expiresAt, or that changes nothing, leaves the times of the session alone',
  'sessions.writes.parallel': 'Writes of different kinds to one session at the same time lose nothing of each other',
  'sessions.end.once': 'An end is true for exactly one caller, also when several race',
  'sessions.end.reads':
    'From the moment that an end is acknowledged nothing of the session can be read, on any handle or process',
  'sessions.end.writes':
    'An end that was acknowledged is followed by no successful write, from any handle or process, however they race',
  'sessions.tombstone.kept': 'A tombstone keeps the id taken until purgeAt, also when sweeps pass',
  'sessions.tombstone.purged': 'A sweep at purgeAt or later removes the tombstone, and the id is free',
  'sessions.tombstone.bare':
    'After an end and the next sweep nothing of the user is stored: no profile, principal, state or message',
  'sessions.list.filter': 'A listing shows the live sessions of one kind and, where asked, of one principal or of none',
  'sessions.list.order': 'A listing is in the byte order of the ids and begins after afterId, which need not exist',
  'sessions.list.pages':
    'A walk over all pages shows every session once, over any number of rows, and no page is longer than its limit',
  'sessions.list.changes':
    'A walk shows every session that was live all the while once, whatever is created or ended meanwhile',
  'sessions.list.live': 'A listing shows no session that has expired or was ended',
  'sessions.count.exact':
    'A count is exact over any number of rows and counts only live sessions of the kind and principal asked for',
  'heads.read': 'Heads give the newest number and the expiry of each session that is live, and leave out what is not',
  'heads.many': 'Heads of hundreds of sessions come from one call',
  'heads.current': 'A head shows what any handle or process wrote before',
  'sweep.expired':
    'A sweep removes an expired session with its state and events, names its id, and the id is free for a session that finds nothing of the old one',
  'sweep.live': 'A sweep never takes a live session or anything that belongs to it, also one that was renewed in time',
  'sweep.ended': 'A sweep removes the data of an ended session; its id is named only when the tombstone goes',
  'sweep.bounded':
    'A sweep removes at most about limit rows in a step, counting those of state and events, and says whether anything is left',
  'sweep.order':
    'The own record of a session goes last: a sweep that was cut off is finished by a later one, and shows half a session to nobody',
  'sweep.leftovers': 'No row is left of a session whose record is gone, however many sweep at once',
  'sweep.concurrent': 'Sweeps that run at the same time do no harm: what has expired goes, what is live stays',
} as const;
