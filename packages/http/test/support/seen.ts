import type { HandlerEvent, HandlerObserver } from '../../src/v2.ts';

type Type = HandlerEvent['type'];

/** An observer that keeps what it gets. */
export class Seen {
  readonly all: HandlerEvent[] = [];
  readonly observe: HandlerObserver = (event) => void this.all.push(event);

  of<T extends Type>(type: T): Extract<HandlerEvent, { readonly type: T }>[] {
    return this.all.filter((event): event is Extract<HandlerEvent, { readonly type: T }> => event.type === type);
  }

  /** What ended, and how: the method, the tool, and the error. */
  get ended(): unknown[] {
    return this.of('operation-ended')
      .filter(({ operation: { method } }) => method !== 'initialize')
      .map(({ operation: { method, name }, error, code, hasAnswer }) => [method, name, error, code, hasAnswer]);
  }
}
