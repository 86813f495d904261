export type * from './event-rows.ts';
export type * from './session-rows.ts';
export type * from './state-rows.ts';
