/** What a backend promises about the state of sessions. */
export const stateRequirements = {
  'state.read.keys': 'A read gives the keys that were asked for, or all, and leaves out those that do not exist',
  'state.read.empty':
    'A live session without state reads as no rows, which is not the answer for a session that is not live',
  'state.isolation':
    'A key belongs to its session: the same key of another session is never read, changed, removed or counted',
  'state.keys.bytes':
    'Keys are compared byte by byte and come back unchanged: U+0000, __proto__, quotes, dots, spaces, letters of either case, characters beyond the BMP',
  'state.values.bytes':
    'Values are opaque text and come back byte for byte: order and doubling of members, spaces, forms of numbers, escapes',
  'state.values.large': 'A value of 1 MiB, and of all that the capabilities name, is accepted and comes back whole',
  'state.commit.parallel':
    'Writers of different keys never overwrite each other: 200 parallel writers of 200 keys leave 200 keys',
  'state.commit.atomic': 'A commit of several keys is done whole or not at all',
  'state.commit.seen-whole': 'A read sees a commit of several keys whole or not at all, while others write',
  'state.commit.existed': 'A commit says for each key, in the order of the writes, whether it existed before',
  'state.commit.size': 'A commit may write 64 keys',
  'state.versions.counter':
    'Each commit takes the next number of a counter of its session, and that is the version of all keys it writes',
  'state.versions.repeat-never':
    'A version never comes again: not after a key was removed, not after the state was cleared',
  'state.compare.stale':
    'A stale expected version fails, changes nothing, and the conflict carries the key as it is now',
  'state.compare.absent': 'Expected version 0 means that the key must not exist; any other means that it must',
  'state.compare.first':
    'A conflict names the first key, in the order of the writes, whose version was not the expected one',
  'state.compare.race': 'Of several commits that expect the same version of a key, exactly one is made',
  'state.limits.keys':
    'A commit that would leave more keys than maxKeys is refused and changes nothing; one that leaves just as many is made',
  'state.limits.bytes':
    'A commit that would leave more bytes than maxBytes is refused and changes nothing; one that leaves just as many is made',
  'state.limits.lowered': 'What is over a lowered limit can still be removed, replaced or made smaller',
  'state.limits.versions-first': 'Expected versions are checked before limits',
  'state.limits.parallel': 'Parallel commits never exceed a limit together',
  'state.clear': 'A clear removes all keys in one step, says how many there were, and counts as a commit',
} as const;
