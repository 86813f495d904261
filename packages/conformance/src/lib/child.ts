// The second process of the kit, started by peer.ts. It opens the storage with the module that the
// test names, and then runs commands.
import type { SessionBackend } from '@mcp-session/core/backend';
import { checkBackend } from './checks.ts';
import { tellError } from './findings.ts';
import { perform } from './commands.ts';
import type { FromChild, ToChild } from './peer.ts';
import type { SecondProcessModule } from './storage.ts';

let backend: SessionBackend | undefined;

function send(message: FromChild): void {
  process.send?.(message);
}

async function receive(message: ToChild): Promise<void> {
  switch (message.kind) {
    case 'open': {
      const { openBackend } = (await import(message.module)) as Partial<SecondProcessModule>;
      if (typeof openBackend !== 'function') {
        throw new TypeError('The module of secondProcess does not export a function openBackend');
      }
      backend = checkBackend(await openBackend(message.argument), 'What openBackend returned');
      send({ kind: 'ready' });
      return;
    }
    case 'command': {
      if (backend === undefined) throw new Error('An command came before the storage was open');
      const { id } = message;
      const value = await perform(backend, message.command, (seq) => send({ kind: 'report', id, seq }));
      send({ kind: 'done', id, value });
      return;
    }
    case 'stop':
      await backend?.close();
      process.disconnect();
  }
}

process.on('message', (message: ToChild) => {
  receive(message).catch((error: unknown) => {
    send({ kind: 'failed', id: message.kind === 'command' ? message.id : undefined, text: tellError(error) });
  });
});

// The test process has ended.
process.on('disconnect', () => process.exit());
