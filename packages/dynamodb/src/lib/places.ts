// The options that choose where a store is.
import { text } from '@mcp-session/core/backend';

/** What the options that choose a place or a key stand for if they are left out. */
export const PLACES = {
  sessionsTable: 'mcp-sessions',
  eventsTable: 'mcp-session-events',
  region: 'AWS_REGION or the profile',
  endpoint: 'that of the region',
  client: 'region and endpoint',
  encryption: 'aws-owned',
};

const EACH_TABLE = 'name the tables by sessionsTable and eventsTable';

/** What to do instead of giving an option that the stores of other databases have. */
export const INSTEAD: Readonly<Record<string, string>> = {
  tablePrefix: EACH_TABLE,
  prefix: EACH_TABLE,
  tables: EACH_TABLE,
};

// docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
export function tableName(name: string, value: unknown, fallback: string): string {
  const given = text(name, value, fallback);
  if (!/^[A-Za-z0-9_.-]{3,255}$/.test(given) && !given.startsWith('arn:')) {
    throw new RangeError(
      `Option ${name} is neither an ARN nor 3 to 255 letters, digits, underscores, hyphens and dots`,
    );
  }
  return given;
}

export function regionName(name: string, value: unknown): string | undefined {
  const given = text(name, value);
  // An error of the SDK would quote it.
  if (given !== undefined && !/^[A-Za-z0-9-]+$/.test(given)) {
    throw new RangeError(`Option ${name} is not a region such as eu-central-1`);
  }
  return given;
}

/** No message quotes the value, which can hold a password. */
export function address(name: string, value: unknown): string | undefined {
  const given = text(name, value);
  if (given === undefined) return undefined;
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new RangeError(`Option ${name} is not an address such as http://localhost:8000`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new RangeError(
      `Option ${name} contains credentials; DynamoDB takes them from the environment or from a client`,
    );
  }
  return given;
}
