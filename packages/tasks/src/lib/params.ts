/** A schema as the SDK takes it (standardschema.dev). */
export interface ParamsSchema<Params> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (
      value: unknown,
    ) =>
      | { readonly value: Params; readonly issues?: undefined }
      | { readonly issues: readonly { readonly message: string }[] };
    readonly types?: { readonly input: unknown; readonly output: Params };
  };
}

/** Parameters of `tasks/get` and `tasks/cancel`. */
export interface TaskParams {
  readonly taskId: string;
}

/** Parameters of `tasks/update`. */
export interface UpdateParams extends TaskParams {
  readonly inputResponses: Readonly<Record<string, unknown>>;
}

function schemaOf<Params>(fault: (value: Partial<Params>) => string | undefined): ParamsSchema<Params> {
  return {
    '~standard': {
      version: 1,
      vendor: '@mcp-session/tasks',
      validate: (value) => {
        const message = isObject(value) ? fault(value as Partial<Params>) : 'Parameters are not an object';
        return message === undefined ? { value: value as Params } : { issues: [{ message }] };
      },
    },
  };
}

export function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export const taskParams: ParamsSchema<TaskParams> = schemaOf(({ taskId }) =>
  typeof taskId === 'string' ? undefined : 'Parameter taskId is not a string',
);

/** The SDK lifts `inputResponses` out of the parameters where it knows them: see `ctx.mcpReq`. */
export const updateParams: ParamsSchema<TaskParams & Partial<UpdateParams>> = schemaOf(({ taskId, inputResponses }) => {
  if (typeof taskId !== 'string') return 'Parameter taskId is not a string';
  return inputResponses === undefined || isObject(inputResponses)
    ? undefined
    : 'Parameter inputResponses is not an object';
});
