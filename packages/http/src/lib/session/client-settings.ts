import type { ProtocolFacts } from '@mcp-session/core';

/** What a client has told its session, and each server of the session has to know. */
export interface ClientSettings {
  /** How often it was changed: the fact `settings`. */
  readonly version: number;
  readonly initialized: boolean;
  readonly logLevel: string | undefined;
  readonly subscriptions: readonly string[];
  /** How often the client has said that its roots have changed: the fact `rootsVersion`. */
  readonly rootsVersion: number;
}

export const NO_SETTINGS: ClientSettings = {
  version: 0,
  initialized: false,
  logLevel: undefined,
  subscriptions: [],
  rootsVersion: 0,
};

export function settingsOf({
  settings,
  initialized,
  logLevel,
  subscriptions = [],
  rootsVersion,
}: ProtocolFacts): ClientSettings {
  return {
    version: typeof settings === 'number' ? settings : 0,
    initialized: initialized === true,
    logLevel,
    subscriptions,
    rootsVersion: typeof rootsVersion === 'number' ? rootsVersion : 0,
  };
}
