import { responseFor } from '../protocol/http-errors.ts';
import type { JsonRpcRequest } from '../protocol/json-rpc.ts';
import { aboutSession, type Journal } from '../reports/journal.ts';
import type { OperationReport } from '../reports/operation.ts';
import type { LocalSession } from '../session/local-session.ts';
import type { AuthFacts, Caller } from '../session/sdk-adapter.ts';
import type { ServerLifecycle } from '../session/server-lifecycle.ts';
import type { Bounds } from '../stream/bounds.ts';
import type { PlatformSessions } from '../store/platform-sessions.ts';
import { checkCreate, type OnSessionCreate } from './session-create.ts';
import type { SessionLimits } from './session-limits.ts';
import { wholeAnswer } from './whole-answer.ts';

export interface InitializeContext {
  readonly bounds: Bounds;
  readonly platformSessions: PlatformSessions;
  readonly sessionLimits: SessionLimits;
  readonly onSessionCreate: OnSessionCreate<AuthFacts> | undefined;
  readonly principalOf: (caller: Caller) => Promise<string | null>;
  /** Is awaited with each new session before the response. */
  readonly onBegun: (local: LocalSession) => Promise<void>;
  readonly journal: Journal;
}

/**
 * Answers `initialize`: begins a session with an id of this server, whatever id the request names.
 * A client that begins anew may still send the id of its last session.
 */
export class InitializeHandler {
  readonly #lifecycle: ServerLifecycle;
  readonly #context: InitializeContext;

  constructor(lifecycle: ServerLifecycle, context: InitializeContext) {
    this.#lifecycle = lifecycle;
    this.#context = context;
  }

  /** @throws HttpError 429, 503, or what `onSessionCreate` refuses with. */
  async handle(initialize: JsonRpcRequest, caller: Caller): Promise<Response> {
    const report = this.#context.journal.operation(initialize, undefined, undefined);
    if (report === undefined) return this.#handle(initialize, caller, undefined);
    try {
      return await report.run(() => this.#handle(initialize, caller, report));
    } catch (error) {
      report.failed(String(responseFor(error).status));
      throw error;
    }
  }

  async #handle(initialize: JsonRpcRequest, caller: Caller, report: OperationReport | undefined): Promise<Response> {
    const principal = await this.#context.principalOf(caller);
    const done = this.#context.bounds.beginRequests({ principal }, 1);
    try {
      return await this.#begin(initialize, caller, principal, report);
    } finally {
      done();
    }
  }

  async #begin(
    initialize: JsonRpcRequest,
    caller: Caller,
    principal: string | null,
    report: OperationReport | undefined,
  ): Promise<Response> {
    const { platformSessions, sessionLimits, onSessionCreate, onBegun } = this.#context;
    const { request } = caller;
    const platformId = platformSessions.idOf(request);
    await checkCreate(onSessionCreate, initialize, caller, principal);
    const admission = await sessionLimits.admit(principal, request);
    try {
      const { response, local } = await this.#lifecycle.begin(initialize, principal, caller, async (session) => {
        await admission.confirm(session);
        if (platformId !== undefined) await platformSessions.bind(platformId, session);
      });
      if (local === undefined) {
        admission.failed(undefined);
        report?.answered(response);
        return wholeAnswer(request, response);
      }
      await onBegun(local);
      report?.answered(response, aboutSession(local.session));
      return wholeAnswer(request, response, { 'mcp-session-id': local.session.id });
    } catch (error) {
      throw admission.failed(error);
    }
  }
}
