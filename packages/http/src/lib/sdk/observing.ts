import type { McpServerFactory } from '@modelcontextprotocol/server';
import { isRequest, isResponse, type JsonRpcMessage } from '../protocol/json-rpc.ts';
import { FIRST_STATELESS_REVISION } from '../protocol/revisions.ts';
import type { Journal } from '../reports/journal.ts';
import type { OperationReport } from '../reports/operation.ts';
import { type Exchange, watched } from './exchanges.ts';

/** Reports the requests that the servers of a factory answer. */
export function observing(create: McpServerFactory, journal: Journal): McpServerFactory {
  return journal.reportsOperations ? watched(create, (exchange) => observe(exchange, journal)) : create;
}

function observe(transport: Exchange, journal: Journal): void {
  let report: OperationReport | undefined;
  const { onmessage, onclose } = transport;
  const send = transport.send.bind(transport);
  transport.onmessage = (message: JsonRpcMessage, extra) => {
    report = isRequest(message) ? journal.operation(message, undefined, FIRST_STATELESS_REVISION) : undefined;
    if (report === undefined) onmessage?.(message, extra);
    else report.run(() => onmessage?.(message, extra));
  };
  transport.send = (message, options) => {
    const sent = send(message, options);
    // At once: the transport closes itself soon after a response.
    if (isResponse(message)) report?.answered(message);
    return sent;
  };
  transport.onclose = () => {
    report?.failed('cancelled');
    onclose?.();
  };
}
