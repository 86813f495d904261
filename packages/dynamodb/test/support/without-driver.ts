// A process in which the package of the SDK is not installed.
import { registerHooks } from 'node:module';

registerHooks({
  resolve(specifier, context, next) {
    if (specifier !== '@aws-sdk/client-dynamodb') return next(specifier, context);
    throw Object.assign(new Error(`Cannot find package '${specifier}'`), { code: 'ERR_MODULE_NOT_FOUND' });
  },
});
const { createDynamoDbStore } = await import('@mcp-session/dynamodb');
const { code, message } = await createDynamoDbStore().then(
  () => ({ code: '', message: '' }),
  (error: unknown) => error as { readonly code: string; readonly message: string },
);
process.stdout.write(JSON.stringify({ code, message }));
