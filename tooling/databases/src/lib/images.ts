/**
 * The images of the test servers, by their official names.
 *
 * The one place where their versions are written for code; `docker-compose.yml` names the same two,
 * and a test fails when they differ.
 */
export const images: { readonly postgres: string; readonly dynamodb: string } = {
  postgres: 'postgres:18-alpine',
  dynamodb: 'amazon/dynamodb-local:3.3.1',
};
