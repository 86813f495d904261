/** What a backend promises about the log of events of a session. */
export const eventRequirements = {
  'events.append.numbers': 'Numbers start at 1 and grow by 1 per session, whatever the stream',
  'events.append.row':
    'An event comes back with its number, its stream, the time of the call that appended it, and its message byte for byte',
  'events.append.large': 'A message of 1 MiB, and of all that the capabilities name, is accepted and comes back whole',
  'events.append.order': 'The events of a request keep their order and their numbers follow without a gap',
  'events.append.sessions':
    'A call for several sessions answers each in its place; one that is not live does not fail the others',
  'events.append.batch': 'A call may carry as many events as the capabilities name',
  'events.append.retained': 'An append says how many events and bytes the log of the session holds after it',
  'events.append.concurrent':
    'Appends from several handles and processes at the same time get numbers that are all different and leave no hole',
  'events.append.visible':
    'A reader of event n can read every event below n that was not trimmed: a reader that follows the log while others append sees every event once',
  'events.numbers.reuse-never':
    'A number is never used again: not after a trim, not when the log is empty, not on another handle',
  'events.token.repeat':
    'A request with a token that is known gets the numbers that it got the first time, and appends nothing',
  'events.token.remembered': 'Tokens of the last 1,000 events of a session are known, on every handle',
  'events.token.trimmed': 'A token is known after its events were trimmed',
  'events.token.race': 'Two requests with the same token that race append once and get the same numbers',
  'events.token.session': 'A token belongs to its session',
  'events.read.after':
    'A read gives events strictly after afterSeq, oldest first, and the newest number of the session',
  'events.read.newest':
    'A read without afterSeq gives the newest events, oldest first, and never says that there is more',
  'events.read.limit': 'A page holds at most limit events, and says that there may be more whenever there is',
  'events.read.bytes': 'A page holds at most maxBytes of messages, but at least one event where there is one',
  'events.read.pages': 'A walk over the pages is complete, each event once, over any number of pages and bytes',
  'events.read.stream':
    'A read of one stream gives the events of that stream alone; stream ids are compared byte by byte',
  'events.read.session': 'A read gives the events of its session alone',
  'events.read.cursor':
    'A page names the stream of the event whose number is afterSeq, and none where that event is not in the log',
  'events.trim.count': 'A trim by count leaves the newest maxEvents events',
  'events.trim.bytes': 'A trim by bytes leaves the newest events that hold at most maxBytes together',
  'events.trim.age': 'A trim by age drops what was created before createdBefore and keeps what was created at it',
  'events.trim.through': 'A trim through a number drops what has that number or a smaller one',
  'events.trim.any': 'A trim by several bounds goes on while any one of them is exceeded',
  'events.trim.limit':
    'A trim removes at most limit events and says how many; fewer than limit means that no bound is exceeded',
  'events.trim.oldest': 'A trim takes the oldest events and never one out of the middle, also while others append',
  'events.trim.horizon':
    'A page says the greatest number that was trimmed from what it asks for: of the whole log, or of its stream',
  'events.trim.quiet': 'A trim of a busy stream never spoils the cursor of a quiet one',
  'events.trim.streams':
    'The trims of the 10,000 streams that were trimmed last are remembered; an older one is answered with a number that is not too small',
} as const;
