/** What a backend promises about sessions, heads and sweeps. */
export const sessionRequirements = {
  'sessions.create.row':
    'A created session reads back as it was given, with version 1, an empty record of version 0, no events, and the time of the call as both of its times',
  'sessions.create.duplicate':
    'A create whose id is taken by a live session, an expired one or a tombstone is refused and replaces nothing',
  'sessions.create.race': 'If several creates of one id race, exactly one wins',
  'sessions.ids.bytes': 'Ids are compared byte by byte: never folded, trimmed, truncated or read as a pattern',
  'sessions.texts.opaque': 'Principals, profiles and records are returned byte for byte',
  'sessions.unknown':
    'An id that was never created does not exist: reads return undefined, writes change nothing, and no other method creates it',
  'sessions.read.asker':
    'A caller does not find a session of another kind or principal; a session without a principal is found by everyone',
  'sessions.expiry.reads':
    'From the millisecond of expiresAt on, every read on every handle answers as if the session did not exist, swept or not',
  'sessions.expiry.writes':
    'From the millisecond of expiresAt on, every write on every handle is refused and changes nothing',
  'sessions.update.compare':
    'A profile or a record is replaced only while it has the expected version; a conflict changes nothing and returns the present row',
  'sessions.update.apart':
    'A change of the profile neither compares nor changes the record, and a change of the record neither compares nor changes the profile',
  'sessions.update.both': 'A change of profile and record makes both or neither',
  'sessions.update.race': 'If several updates expect the same version, exactly one succeeds',
  'sessions.touch.renews': 'A touch moves expiresAt and touchedAt forward and reports whether the session is live',
  'sessions.touch.shortens-never': 'A touch never moves expiresAt or touchedAt back',
  'sessions.renewal.writes':
    'A write that carries expiresAt renews the session in the same step, and never shortens its life',
  'sessions.renewal.none':
    'A write without expiresAt, or one that changes nothing, leaves the times of the session alone',
  'sessions.writes.parallel': 'Simultaneous writes of different kinds to one session do not undo each other',
  'sessions.end.once': 'An end is true for exactly one caller, even if several race',
  'sessions.end.reads': 'Once an end is acknowledged, no handle and no process can read anything of the session',
  'sessions.end.writes': 'After an acknowledged end no write succeeds, from any handle or process, however they race',
  'sessions.tombstone.kept': 'A tombstone keeps the id taken until purgeAt, even if sweeps run before',
  'sessions.tombstone.purged': 'A sweep at purgeAt or later removes the tombstone, and the id is free',
  'sessions.tombstone.bare':
    'After an end and the next sweep, no data of the user is stored: no profile, record, principal, state or message',
  'sessions.list.filter':
    'A listing shows the live sessions of one kind and, on request, of one principal or without a principal',
  'sessions.list.counts':
    'A listing says how many events the log of each session has, trimmed ones left out, and how many keys its state has',
  'sessions.list.order': 'A listing is in the byte order of the ids and starts after afterId, which need not exist',
  'sessions.list.pages':
    'A walk over all pages shows every session once, over any number of rows, and no page is longer than its limit',
  'sessions.list.changes':
    'A walk shows every session that stays live throughout exactly once, whatever is created or ended during it',
  'sessions.list.live': 'A listing shows no session that has expired or was ended',
  'sessions.count.exact':
    'A count is exact over any number of rows and counts only live sessions of the kind and principal asked for',
  'sessions.count.kinds': 'A count by kind is exact, counts only live sessions, and omits kinds without any',
  'heads.read': 'Heads return the newest number and the expiry of each live session, and omit all others',
  'heads.many': 'One call returns the heads of hundreds of sessions',
  'heads.current': 'A head shows every earlier write of any handle or process',
  'sweep.expired':
    'A sweep removes an expired session with its state and events and returns its id; a new session with that id finds nothing of the old one',
  'sweep.live':
    'A sweep never removes a live session or anything that belongs to it, even if it was renewed at the last moment',
  'sweep.ended': 'A sweep removes the data of an ended session; it returns the id only when it removes the tombstone',
  'sweep.bounded':
    'A step of a sweep removes at most about limit rows, including rows of state and events, and reports whether anything is left',
  'sweep.order':
    "A sweep removes a session's own record last: a later sweep finishes an interrupted one, and nobody sees half a session",
  'sweep.leftovers': 'A session whose record was removed leaves no row, however many sweeps run at once',
  'sweep.concurrent': 'Simultaneous sweeps do no harm: expired sessions are removed, and live ones stay',
} as const;
