import type { Json, JsonObject } from './objects.ts';

/** What a resource is called in the text of an error. */
export interface Named {
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
}

/** One thing that is wrong with an object, with the texts of `field.Error` of the real server. */
export interface FieldError {
  readonly reason: 'FieldValueRequired' | 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueNotSupported';
  /** `Invalid value: "x": must be …`. */
  readonly message: string;
  /** `spec.ports[0].nodePort`. */
  readonly field: string;
}

export const field = {
  required: (path: string, detail = ''): FieldError => ({
    reason: 'FieldValueRequired',
    message: `Required value${detail === '' ? '' : `: ${detail}`}`,
    field: path,
  }),
  invalid: (path: string, value: Json, detail: string): FieldError => ({
    reason: 'FieldValueInvalid',
    message: `Invalid value: ${JSON.stringify(value)}: ${detail}`,
    field: path,
  }),
  forbidden: (path: string, detail: string): FieldError => ({
    reason: 'FieldValueForbidden',
    message: `Forbidden: ${detail}`,
    field: path,
  }),
  unsupported: (path: string, value: Json, allowed: readonly string[]): FieldError => ({
    reason: 'FieldValueNotSupported',
    message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${allowed.map((one) => `"${one}"`).join(', ')}`,
    field: path,
  }),
};

/** An answer that is no success: a `Status` object of kind Failure and its HTTP status. */
export class StatusError extends Error {
  override readonly name = 'StatusError';
  readonly code: number;
  readonly body: JsonObject;

  /** `reason` `''` and absent details are left out, as the real server does for its internal errors. */
  constructor(code: number, reason: string, message: string, details?: JsonObject) {
    super(message);
    this.code = code;
    this.body = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      ...(reason === '' ? {} : { reason }),
      ...(details === undefined ? {} : { details }),
      code,
    };
  }
}

/** `nodes`, `deployments.apps`. */
function resourceName(resource: Named): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
}

function kindName(resource: Named): string {
  return resource.group === '' ? resource.kind : `${resource.kind}.${resource.group}`;
}

function about(name: string, group: string, kind: string, rest: JsonObject = {}): JsonObject {
  return { ...(name === '' ? {} : { name }), ...(group === '' ? {} : { group }), kind, ...rest };
}

/** The texts below are those of kube-apiserver 1.36, recorded from it. */
export const refuse = {
  notFound: (resource: Named, name: string) =>
    new StatusError(
      404,
      'NotFound',
      `${resourceName(resource)} "${name}" not found`,
      about(name, resource.group, resource.plural),
    ),
  noSuchResource: () => new StatusError(404, 'NotFound', 'the server could not find the requested resource', {}),
  methodNotAllowed: () =>
    new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {}),
  alreadyExists: (resource: Named, name: string) =>
    new StatusError(
      409,
      'AlreadyExists',
      `${resourceName(resource)} "${name}" already exists`,
      about(name, resource.group, resource.plural),
    ),
  conflict: (resource: Named, name: string, why: string) =>
    new StatusError(
      409,
      'Conflict',
      `Operation cannot be fulfilled on ${resourceName(resource)} "${name}": ${why}`,
      about(name, resource.group, resource.plural),
    ),
  /** A stale `metadata.resourceVersion`. */
  modified: (resource: Named, name: string) =>
    refuse.conflict(
      resource,
      name,
      'the object has been modified; please apply your changes to the latest version and try again',
    ),
  /** A precondition of a DELETE; the real server puts the kind where the resource would stand. */
  precondition: (resource: Named, name: string, why: string) =>
    refuse.conflict({ ...resource, plural: resource.kind }, name, why),
  invalid: (resource: Named, name: string, errors: readonly FieldError[]) =>
    invalidAs(kindName(resource), about(name, resource.group, resource.kind), name, errors),
  /** What the real server says of an update without resourceVersion of a kind that demands one. */
  versionRequired: (resource: Named, name: string) =>
    invalidAs(resourceName(resource), about(name, resource.group, resource.plural), name, [
      field.invalid('metadata.resourceVersion', 0, 'must be specified for an update'),
    ]),
  /** The patched text is no object of the kind. */
  invalidPatch: (patched: Json, why: string) =>
    invalidAs('', {}, '', [field.invalid('patch', JSON.stringify(patched), why)]),
  /** The query's options contradict each other. */
  invalidOptions: (kind: 'ListOptions' | 'DeleteOptions', error: FieldError) =>
    refuse.invalid({ group: 'meta.k8s.io', plural: '', kind }, '', [error]),
  forbidden: (resource: Named, name: string, why: string, causes?: Json[]) =>
    new StatusError(
      403,
      'Forbidden',
      `${resourceName(resource)} "${name}" is forbidden: ${why}`,
      about(name, resource.group, resource.plural, causes === undefined ? {} : { causes }),
    ),
  badRequest: (message: string) => new StatusError(400, 'BadRequest', message),
  unprocessable: () =>
    new StatusError(422, 'Invalid', 'the server rejected our request due to an error in our request', {}),
  unsupportedMediaType: (accepted: readonly string[]) =>
    new StatusError(
      415,
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
    ),
  tooLarge: (limitBytes: number) =>
    new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${limitBytes}`),
  /** A version that is no longer in the history: the client has to list again. */
  expired: (message: string) => new StatusError(410, 'Expired', message),
  /** A version that does not exist yet; the real server waits 3 s before it says so. */
  fromTheFuture: (version: number, current: number) =>
    new StatusError(504, 'Timeout', `Timeout: Too large resource version: ${version}, current: ${current}`, {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    }),
  internal: (message: string) => new StatusError(500, '', message),
};

function invalidAs(what: string, who: JsonObject, name: string, errors: readonly FieldError[]): StatusError {
  const texts = errors.map((error) => `${error.field}: ${error.message}`);
  const list = texts.length === 1 ? texts.join('') : `[${texts.join(', ')}]`;
  return new StatusError(422, 'Invalid', `${what} "${name}" is invalid: ${list}`, {
    ...who,
    causes: errors.map((error) => ({ ...error })),
  });
}

/** The answer to a request that leaves no object to show. */
export function success(details?: JsonObject, code?: number): JsonObject {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    ...(details === undefined ? {} : { details }),
    ...(code === undefined ? {} : { code }),
  };
}
