import { clientOf } from '@mcp-session/core/transport';
import { findSession, type Context } from '../context.ts';
import { counted, iso, span } from '../output/text.ts';
import { factsOf } from './ls.ts';

/** Shows the facts of one session. */
export async function show({ printer, withStore }: Context, given: string, kind: string | undefined): Promise<void> {
  await withStore(async (store) => {
    const session = await findSession(store, given, kind);
    const { metadata, protocol } = session;
    const keys = (await session.state.keys()).length;
    if (printer.json) {
      printer.document({ ...factsOf(session), stateKeys: keys, metadata, protocol });
      return;
    }
    const now = Date.now();
    printer.facts([
      ['id', session.id],
      ['kind', session.kind],
      ['principal', session.principal ?? '- (anyone who knows the id)'],
      ['client', clientOf(protocol) ?? '-'],
      ['protocol', protocol.protocolVersion ?? '-'],
      ['created', `${iso(session.createdAt)}, ${span(now - session.createdAt)} ago`],
      ['last active', `${iso(session.lastActiveAt)}, ${span(now - session.lastActiveAt)} ago`],
      ['expires', `${iso(session.expiresAt)}, in ${span(session.expiresAt - now)}`],
      ['last event', session.lastSeq === 0 ? '- (no event yet)' : String(session.lastSeq)],
      ['state', counted(keys, 'key')],
      ['metadata', JSON.stringify(metadata)],
    ]);
  });
}
