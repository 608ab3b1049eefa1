/** Request parameters by their wire names. What is `undefined` or empty is not sent: the cloud reads empty as absent. */
export type Parameters = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * A list as the API spells it, counted from 1: `numbered('VolumeId', ['a', 'b'])` gives `VolumeId.1` and `VolumeId.2`;
 * `numbered('Instances.member', [{ InstanceId: 'a' }])` gives `Instances.member.1.InstanceId`.
 * Which prefix takes `.member`: docs/reference/nifcloud-api.md §1.4.
 *
 * @throws TypeError when an entry is empty: it would not be sent, and the request would ask for something else
 */
export function numbered(prefix: string, values: readonly (string | number | Parameters)[]): Parameters {
  const parameters: Record<string, Parameters[string]> = {};
  for (const [index, value] of values.entries()) {
    const name = `${prefix}.${index + 1}`;
    const entry: Record<string, Parameters[string]> = {};
    if (typeof value !== 'object') entry[name] = value;
    else for (const [field, part] of Object.entries(value)) entry[`${name}.${field}`] = part;
    if (Object.keys(sentParameters(entry)).length === 0) throw new TypeError(`${name} is empty`);
    Object.assign(parameters, entry);
  }
  return parameters;
}

/** The parameters that are sent, as texts. */
export function sentParameters(parameters: Parameters): Record<string, string> {
  const sent: Record<string, string> = {};
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== '') sent[name] = String(value);
  }
  return sent;
}
