/** What a backend promises about its capabilities, its opening and closing, and its hints. */
export const lifecycleRequirements = {
  'capabilities.facts':
    'The capabilities are facts that core can work with: whole numbers in their ranges, at least 1 MiB for events and for values',
  'capabilities.shared': 'Shared storage shows every write to a second handle at once; other storage shows it nothing',
  'capabilities.durable': 'Durable storage still has everything when it is reopened; other storage has nothing',
  'capabilities.process': 'A second process can open shared or durable storage',
  'lifecycle.migrate.repeat': 'Migrating again changes nothing and loses nothing',
  'lifecycle.migrate.concurrent': 'Several handles and processes can migrate the same new storage at the same time',
  'lifecycle.version':
    'The schema version, if the backend reads one, is below the needed one while tables are missing and equals it after migrating; reading it changes nothing',
  'lifecycle.ping': 'A ping of an open backend resolves',
  'lifecycle.close.repeat': 'Closing twice is safe, even at the same time',
  'lifecycle.close.calls': 'After close every method rejects with a SessionError STORE_CLOSED',
  'lifecycle.close.others': 'Closing one handle does not disturb other handles on the same storage',
  'lifecycle.crash':
    'A writer that is killed at any moment loses no acknowledged append and leaves no hole in the numbers',
  'hints.marker': 'The change marker, if the backend has one, changes after another handle or process has written',
  'hints.watch': 'Hints, if the backend has them, name sessions that others appended to or ended, and stop on request',
  'processes.certain':
    'A process that lives or is suspended, and a text that stands for no process, are never found to have ended',
  'processes.ended': 'A process that was killed is found to have ended within two seconds, by every handle and process',
  'generated.sequence': 'Any sequence of calls has the same results as on the in-memory backend of core',
  'generated.misuse':
    'Hostile keys, values, ids, cursors and options have the same results as on the in-memory backend, or fail with the same error',
} as const;

/** What core promises on any backend and a backend can break. */
export const storeRequirements = {
  'store.update.increments':
    '50 parallel increments by update, from several handles and processes, result in 50, without livelock',
  'store.replay.complete':
    'A replay returns every event after the cursor, with the ids that append returned, over any number of pages',
  'store.replay.trimmed':
    'A cursor below the trimmed part of its stream throws EventsTrimmedError; nothing is returned instead',
  'store.cursor.foreign': 'A cursor of another session, of another stream or from the future is refused',
  'store.tail.handover': 'A tail continues from stored events to new ones without a gap and without duplicates',
  'store.tail.elsewhere':
    'A tail delivers an event of another handle or process within the longest poll interval, maxMs',
  'store.tail.end': 'A tail ends when its session ends, even if another handle or process ends it',
  'store.principal':
    'A wrong principal gets the same result as an unknown id, and its listing shows no session of others',
  'store.user.one':
    'The record of a user is one, however many handles and processes begin it at once; ended or expired, it is empty and begins anew',
  'store.kind.expired':
    'A session of a kind with a grace is gone when it expires; until the grace is over, its owner alone learns that it has expired',
  'store.values': 'Any JSON value that state and events accept is read back as JSON.parse would return it',
  'store.inspect':
    'No administrative read renews a session: neither its record, its state or its log, nor a listing or a count',
  'store.end-all': 'One call ends all live sessions of a principal, and no other session',
  'store.handle.default':
    'A session has one default handle of a definition, however many handles and processes ask for it at once',
  'store.event-store':
    'The event store of one session replays its own stream and refuses the cursors of another session',
} as const;
