import { toNodeHandler } from '@mcp-session/http/node';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createHandler } from './handler.ts';
import { openStore, type Place } from './store.ts';

const [place = ''] = process.argv.slice(2);
const handler = createHandler(await openStore(JSON.parse(place) as Place));

class AppModule {
  readonly name = 'notes';
}
Module({})(AppModule);

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
app.use('/mcp', toNodeHandler(handler));
await app.listen(0, '127.0.0.1');
console.log(`Nest listens on ${await app.getUrl()}/mcp`);
