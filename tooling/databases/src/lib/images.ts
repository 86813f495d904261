/**
 * The images of the test servers, by their official names.
 *
 * The only place in the code with their versions. `docker-compose.yml` names the same two, and a
 * test fails if they differ.
 */
export const images: { readonly postgres: string; readonly dynamodb: string } = {
  postgres: 'postgres:18-alpine',
  dynamodb: 'amazon/dynamodb-local:3.3.1',
};
