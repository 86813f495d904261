/** What a backend promises about the state of sessions. */
export const stateRequirements = {
  'state.read.keys': 'A read returns the requested keys, or all, and omits those that do not exist',
  'state.read.empty': 'A live session without state reads as no rows, unlike a session that is not live',
  'state.isolation':
    'A key belongs to its session: the same key of another session is never read, changed, removed or counted',
  'state.keys.bytes':
    'Keys are compared byte by byte and returned unchanged: U+0000, __proto__, quotes, dots, spaces, upper and lower case, characters beyond the BMP',
  'state.values.bytes':
    'Values are opaque text and are returned byte for byte: order and duplicates of members, spaces, forms of numbers, escapes',
  'state.values.large': 'A value of 1 MiB, and one of maxValueBytes, is accepted and returned whole',
  'state.commit.parallel':
    'Writers of different keys never overwrite each other: 200 parallel writers of 200 keys leave 200 keys',
  'state.commit.atomic': 'A commit of several keys is all or nothing',
  'state.commit.seen-whole': 'A read sees a commit of several keys whole or not at all, while others write',
  'state.commit.existed': 'A commit reports for each key, in the order of the writes, whether it existed before',
  'state.commit.size': 'A commit may write 64 keys',
  'state.versions.counter':
    "Each commit takes the next number of its session's counter, which becomes the version of all keys it writes",
  'state.versions.repeat-never':
    'A version is never reused: not after a key was removed, not after the state was cleared',
  'state.compare.stale':
    'A stale expected version fails and changes nothing, and the conflict returns the present row of the key',
  'state.compare.absent': 'Expected version 0 means that the key must not exist; any other version means that it must',
  'state.compare.first': 'A conflict names the first key, in the order of the writes, without the expected version',
  'state.compare.race': 'If several commits expect the same version of a key, exactly one succeeds',
  'state.limits.keys':
    'A commit that would leave more than maxKeys keys is refused and changes nothing; one that leaves exactly maxKeys succeeds',
  'state.limits.bytes':
    'A commit that would leave more than maxBytes bytes is refused and changes nothing; one that leaves exactly maxBytes succeeds',
  'state.limits.lowered': 'State above a lowered limit can still be removed, replaced or made smaller',
  'state.limits.versions-first': 'Expected versions are checked before limits',
  'state.limits.parallel': 'Parallel commits together never exceed a limit',
  'state.clear': 'A clear removes all keys in one step, returns their number, and counts as a commit',
} as const;
