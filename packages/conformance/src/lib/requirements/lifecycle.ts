/** What a backend promises about its capabilities, its opening and closing, and its hints. */
export const lifecycleRequirements = {
  'capabilities.facts':
    'The capabilities are facts that core can work with: whole numbers in their ranges, at least 1 MiB for events and for values',
  'capabilities.shared':
    'A shared storage shows a second handle at once what was written; one that is not shared shows it nothing',
  'capabilities.durable':
    'A durable storage has everything when it is opened again; one that is not durable has nothing',
  'capabilities.process': 'A storage that is shared or durable can be opened by a second process',
  'lifecycle.migrate.repeat': 'Migrating again changes nothing and loses nothing',
  'lifecycle.migrate.concurrent': 'Several handles and processes can migrate one fresh storage at the same time',
  'lifecycle.ping': 'A ping of an open backend resolves',
  'lifecycle.close.repeat': 'Closing again is safe, also at the same time',
  'lifecycle.close.calls': 'After close every method rejects with a SessionError STORE_CLOSED',
  'lifecycle.close.others': 'Closing one handle leaves other handles on the same storage at work',
  'lifecycle.crash':
    'A writer that is killed at any moment loses no append that was acknowledged and leaves no hole in the numbers',
  'hints.marker':
    'The change marker, where there is one, has another value after another handle or process has written',
  'hints.watch': 'Hints, where there are any, name sessions that others have moved, and stop when asked',
  'generated.sequence': 'Any sequence of calls answers as the in-memory backend of core answers it',
  'generated.misuse':
    'Hostile keys, values, ids, cursors and options are answered as by the in-memory backend, or refused with the same error',
} as const;

/** What core promises on any backend and a backend can break. */
export const storeRequirements = {
  'store.update.increments':
    '50 parallel increments by update leave 50, from several handles and processes, without livelock',
  'store.replay.complete':
    'A replay gives every event after the cursor, with the ids that append returned, over any number of pages',
  'store.replay.trimmed':
    'A cursor below what was trimmed of its stream throws EventsTrimmedError; nothing is returned instead',
  'store.cursor.foreign': 'A cursor of another session, of another stream or from the future is refused',
  'store.tail.handover': 'A tail passes from what is stored to what is appended meanwhile with no gap and no doubling',
  'store.tail.elsewhere':
    'A tail delivers what another handle or process appends within the longest poll of the capabilities',
  'store.tail.end': 'A tail ends when its session is ended, also by another handle or process',
  'store.principal':
    'A wrong principal gets what an unknown id gets, and its listing shows none of the sessions of others',
  'store.inspect':
    'Nothing that an administrator does renews a session: no look at it, its state or its log, no listing, no count',
  'store.end-all': 'All live sessions of a principal end in one call, and no other session does',
  'store.values': 'Any JSON value that state and events accept comes back as JSON.parse of what was written gives it',
  'store.event-store':
    'The event store of one session replays its own stream and refuses the cursors of another session',
} as const;
