import {
  at,
  equal,
  type JsonObject,
  type KubeObject,
  objectsIn,
  section,
  textAt,
  textsIn,
  timestamp,
  without,
} from './objects.ts';
import { field, type FieldError } from './status.ts';

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const QUALIFIED = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const LABEL_VALUE = `(${QUALIFIED})?`;

const matches = (pattern: string, text: string): boolean => new RegExp(`^(${pattern})$`).test(text);

/** What names of a kind look like: RFC 1123 subdomains mostly, RFC 1123 labels for some, anything that fits a URL for events. */
export type NameRule = 'subdomain' | 'label' | 'segment';

/** How a name of a kind must look, how long it may be, and what is said of one that does not fit (apimachinery's texts). */
const NAME_RULES: Readonly<Record<NameRule, { pattern: string; maxLength: number; otherwise: string }>> = {
  segment: {
    pattern: '(?!\\.\\.?$)[^/%]+',
    maxLength: 253,
    otherwise: "may not be '.' or '..' and may not contain '/' or '%'",
  },
  subdomain: {
    pattern: SUBDOMAIN,
    maxLength: 253,
    otherwise: `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${SUBDOMAIN}')`,
  },
  label: {
    pattern: LABEL,
    maxLength: 63,
    otherwise: `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${LABEL}')`,
  },
};

/** Why `name` is refused, `undefined` if it is not. */
function nameFault(rule: NameRule, name: string): string | undefined {
  const { pattern, maxLength, otherwise } = NAME_RULES[rule];
  if (name.length > maxLength) return `must be no more than ${maxLength} characters`;
  if (matches(pattern, name)) return undefined;
  return rule === 'label' && matches(SUBDOMAIN, name) ? 'must not contain dots' : otherwise;
}

/** What is wrong with the metadata of an object, new or changed, apart from what only a change can get wrong. */
export function validateMetadata(object: KubeObject, rule: NameRule): FieldError[] {
  const { name, labels = {}, finalizers = [] } = object.metadata;
  const errors: FieldError[] = [];
  const fault = nameFault(rule, name);
  if (fault !== undefined) errors.push(field.invalid('metadata.name', name, fault));
  for (const [key, value] of Object.entries(labels)) errors.push(...validateLabel(key, value));
  for (const [index, finalizer] of finalizers.entries()) {
    if (finalizer.includes('/') || ['foregroundDeletion', 'orphan', 'kubernetes'].includes(finalizer)) continue;
    const why = 'name is neither a standard finalizer name nor is it fully qualified';
    errors.push(field.invalid(`metadata.finalizers[${index}]`, finalizer, why));
  }
  for (const owner of objectsIn(object.metadata['ownerReferences'])) {
    for (const [key, why] of [
      ['apiVersion', 'version must not be empty'],
      ['kind', 'must not be empty'],
      ['name', 'must not be empty'],
      ['uid', 'must not be empty'],
    ] as const) {
      if (textAt(owner, key) === '') errors.push(field.invalid(`metadata.ownerReferences.${key}`, '', why));
    }
  }
  return errors;
}

function validateLabel(key: string, value: string): FieldError[] {
  const errors: FieldError[] = [];
  const [prefix, name] = key.includes('/')
    ? [key.slice(0, key.indexOf('/')), key.slice(key.indexOf('/') + 1)]
    : ['', key];
  if (!matches(QUALIFIED, name) || name.length > 63 || (prefix !== '' && !matches(SUBDOMAIN, prefix))) {
    const why = `name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${QUALIFIED}')`;
    errors.push(field.invalid('metadata.labels', key, why));
  }
  if (value.length > 63) errors.push(field.invalid('metadata.labels', value, 'must be no more than 63 bytes'));
  else if (!matches(LABEL_VALUE, value)) {
    const why = `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '${LABEL_VALUE}')`;
    errors.push(field.invalid('metadata.labels', value, why));
  }
  return errors;
}

/** What is wrong with a change of metadata. What only the server sets may be left out, but not made up. */
export function validateMetadataChange(object: KubeObject, before: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  const immutable = ['uid', 'deletionGracePeriodSeconds'];
  if (before.metadata.deletionTimestamp === undefined) immutable.push('deletionTimestamp');
  for (const key of immutable) {
    const value = object.metadata[key] ?? '';
    if (value !== '' && !equal(value, before.metadata[key])) {
      errors.push(field.invalid(`metadata.${key}`, value, 'field is immutable'));
    }
  }
  const added = textsIn(object.metadata.finalizers).filter((one) => !textsIn(before.metadata.finalizers).includes(one));
  if (before.metadata.deletionTimestamp !== undefined && added.length > 0) {
    const why = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((one) => JSON.stringify(one)).join(', ')}}`;
    errors.push(field.forbidden('metadata.finalizers', why));
  }
  return errors;
}

/** A Node keeps its provider id once it has one: the id decides which server it is. */
export function validateNode(node: KubeObject, before: KubeObject | undefined): FieldError[] {
  const had = textAt(before, 'spec', 'providerID');
  if (had === '' || textAt(node, 'spec', 'providerID') === had) return [];
  return [field.forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid')];
}

export function validatePod(pod: KubeObject): FieldError[] {
  return at(pod, 'spec', 'containers') === undefined ? [field.required('spec.containers')] : [];
}

/** An event lives in the namespace of its object, in `default` if that has none (`legacyValidateEvent`). */
export function validateEvent(event: KubeObject): FieldError[] {
  const namespace = textAt(event, 'involvedObject', 'namespace');
  if (event.metadata.namespace === (namespace || 'default')) return [];
  return [field.invalid('involvedObject.namespace', namespace, 'does not match event.namespace')];
}

export function validateVolumeAttachment(attachment: KubeObject, before: KubeObject | undefined): FieldError[] {
  if (before === undefined || equal(attachment['spec'], before['spec'])) return [];
  return [field.invalid('spec', attachment['spec'] ?? null, 'field is immutable')];
}

/** A bound claim may grow, and shrink to more than it has got; nothing else in its spec changes but its binding. */
export function validateClaim(claim: KubeObject, before: KubeObject | undefined): FieldError[] {
  if (before === undefined || equal(claim['spec'], before['spec'])) return [];
  const [is, was] = [claimSize(claim), claimSize(before)];
  const bound = textAt(before, 'status', 'phase') === 'Bound';
  const mayChange = bound ? ['resources', 'volumeAttributesClassName'] : ['volumeName', 'volumeAttributesClassName'];
  const fixed = (one: KubeObject): JsonObject => without(section({ ...one }, 'spec'), mayChange);
  if (!equal(fixed(claim), fixed(before))) {
    return [
      field.forbidden(
        'spec',
        'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
      ),
    ];
  }
  if (is < was && is <= quantity(textAt(before, 'status', 'capacity', 'storage'))) {
    return [field.forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity')];
  }
  return [];
}

/** Requested size of a PersistentVolumeClaim in bytes. */
export function claimSize(claim: KubeObject): number {
  return quantity(textAt(claim, 'spec', 'resources', 'requests', 'storage'));
}

const SUFFIX: Readonly<Record<string, number>> = {
  ...Object.fromEntries(['', 'k', 'M', 'G', 'T', 'P', 'E'].map((unit, power) => [unit, 1000 ** power])),
  ...Object.fromEntries(['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'].map((unit, power) => [unit, 1024 ** (power + 1)])),
};

/** A quantity such as `10Gi` or `1.5T` as a number; 0 for what is none. */
function quantity(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMGTPE]i|[kMGTPE]?)$/.exec(text);
  return match === null ? 0 : Number(match[1]) * (SUFFIX[match[2] ?? ''] ?? 0);
}

/**
 * Reads a metav1.MicroTime: exactly six digits of a second, which JavaScript's `toISOString` does not write.
 * The fault has the text of Go's `time.Parse`; `utc` is how the time is stored.
 */
export function microTime(text: string): { readonly utc: string } | { readonly fault: string } {
  const fault = (rest: string, layout: string) => ({
    fault: `parsing time "${text}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "${rest}" as "${layout}"`,
  });
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(.*?)(Z|[+-]\d\d:\d\d)$/.exec(text);
  const [, seconds = '', fraction = '', zone = ''] = match ?? [];
  const atMs = Date.parse(seconds + zone);
  if (Number.isNaN(atMs)) return fault(text, '2006');
  if (!/^\.\d{6}/.test(fraction)) return fault(fraction + zone, '.000000');
  if (fraction.length > 7) return fault(fraction.slice(7) + zone, 'Z07:00');
  return { utc: `${timestamp(atMs).slice(0, -1)}${fraction}Z` };
}
