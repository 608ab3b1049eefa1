import { numbered, type Parameters } from './parameters.ts';
import type { XmlElement } from './xml.ts';

/** A server behind a listener of a load balancer. */
export interface Target {
  readonly serverName: string;
  readonly serverUniqueId: string;
}

/** What a load balancer thinks of a target. */
export interface TargetHealth extends Target {
  /** `InService`, `OutOfService`, `''` (not known yet) or another text: docs/reference/nifcloud-api.md §4.3. */
  readonly state: string;
  /** The cloud's reason code, such as `ELB`; often `''` or `N/A`. */
  readonly reason: string;
  readonly description: string;
}

/** What a listing says of each target besides, which is more than all the rest of it: `targetHealth` is there to ask for that. */
export const TARGET_STATES: readonly string[] = ['instancestates'];

/** Source: docs/reference/nifcloud-api.md §4.3, §5.4. @param parent holds the `<Instances>` */
export function parseTargets(parent: XmlElement): readonly Target[] {
  return parent.items('Instances').map(parseTarget);
}

/** Of the answers to DescribeInstanceHealth and its elastic twin. @param result holds the `<InstanceStates>` */
export function parseTargetHealth(result: XmlElement): readonly TargetHealth[] {
  return result.items('InstanceStates').map((entry) => ({
    ...parseTarget(entry),
    state: entry.text('State'),
    reason: entry.text('ReasonCode'),
    description: entry.text('Description'),
  }));
}

/** Servers in a request. @param key the field that names them: `InstanceId` (a server's name) or `InstanceUniqueId` */
export function targetMembers(key: 'InstanceId' | 'InstanceUniqueId', servers: readonly string[]): Parameters {
  return numbered(
    'Instances.member',
    servers.map((server) => ({ [key]: server })),
  );
}

function parseTarget(entry: XmlElement): Target {
  return { serverName: entry.text('InstanceId'), serverUniqueId: entry.text('InstanceUniqueId') };
}
