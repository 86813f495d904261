/** What a backend promises about the log of events of a session. */
export const eventRequirements = {
  'events.append.numbers': 'Numbers start at 1 and grow by 1 per session, whatever the stream',
  'events.append.row':
    'An event is returned with its number, its stream, the time of the call that appended it, and its message byte for byte',
  'events.append.large': 'A message of 1 MiB, and one of maxEventBytes, is accepted and returned whole',
  'events.append.order': 'The events of a request keep their order and their numbers follow without a gap',
  'events.append.sessions':
    'A call for several sessions answers each request in its place; a session that is not live does not fail the others',
  'events.append.batch': 'A call may carry maxBatchEvents events',
  'events.append.retained': 'An append returns how many events and bytes the log of the session holds after it',
  'events.append.concurrent':
    'Simultaneous appends from several handles and processes get distinct numbers without a hole',
  'events.append.visible':
    'A reader of event n can read every event below n that was not trimmed; a reader that follows the log during appends sees every event once',
  'events.numbers.reuse-never':
    'A number is never reused: not after a trim, not when the log is empty, not on another handle',
  'events.token.repeat': 'A request with a known token returns the numbers of the first time and appends nothing',
  'events.token.remembered': 'Every handle knows the tokens of the last 1,000 events of a session',
  'events.token.trimmed': 'A token is still known after its events were trimmed',
  'events.token.race': 'If two requests with the same token race, they append once and return the same numbers',
  'events.token.session': 'A token belongs to its session',
  'events.read.after':
    'A read returns events strictly after afterSeq, oldest first, and the newest number of the session',
  'events.read.newest': 'A read without afterSeq returns the newest events, oldest first, and never reports more',
  'events.read.limit': 'A page holds at most limit events, and reports more whenever there are more',
  'events.read.bytes': 'A page holds at most maxBytes of messages, but at least one event if there is one',
  'events.read.pages': 'A walk over any number of pages and bytes returns every event once',
  'events.read.stream':
    'A read of one stream returns only the events of that stream; stream ids are compared byte by byte',
  'events.read.session': 'A read returns only the events of its session',
  'events.read.cursor':
    'A page names the stream of the event with the number afterSeq, and none if that event is not in the log',
  'events.trim.count': 'A trim by count leaves the newest maxEvents events',
  'events.trim.bytes': 'A trim by bytes leaves the newest events that hold at most maxBytes together',
  'events.trim.age': 'A trim by age removes events created before createdBefore and keeps events created at that time',
  'events.trim.through': 'A trim through a number removes the events with that number or a smaller one',
  'events.trim.any': 'A trim by several bounds continues while any one of them is exceeded',
  'events.trim.limit':
    'A trim removes at most limit events and returns how many; fewer than limit means that no bound is exceeded',
  'events.trim.oldest': 'A trim removes the oldest events and never one from the middle, even during appends',
  'events.trim.horizon': 'A page returns the greatest number that was trimmed from the log or the stream that it reads',
  'events.trim.quiet': 'A trim of a busy stream never invalidates the cursor of a quiet one',
  'events.trim.streams':
    'The trims of the 10,000 streams that were trimmed last are remembered; for an older one the returned number is never too small',
} as const;
