import { isTrue } from './answers.ts';
import { SharedRead } from './shared-read.ts';
import type { Clock } from './surroundings.ts';
import type { Api } from './transport.ts';
import type { XmlElement } from './xml.ts';

/** A region, as DescribeRegions shows it. */
export interface Region {
  /** The short form for the older regions: `east-1`, but `jp-east-4`. `NifcloudOptions.region` is the first label of `endpoint`. */
  readonly name: string;
  /** Host name of its API. */
  readonly endpoint: string;
  readonly isDefault: boolean;
}

/** A zone of the region. */
export interface Zone {
  /** Such as `east-11`. */
  readonly name: string;
  /** In the short form, as `Region.name`. */
  readonly regionName: string;
  /** `available`, or another text. */
  readonly state: string;
  /** It is used where none is given. */
  readonly isDefault: boolean;
  readonly hasFirewallGroups: boolean;
}

/** By region as `NifcloudOptions.region` takes it. Source: docs/reference/nifcloud-api.md §9. */
const ZONES: Readonly<Record<string, readonly string[]>> = {
  'jp-east-1': ['east-11', 'east-12', 'east-13', 'east-14'],
  'jp-east-2': ['east-21'],
  'jp-east-3': ['east-31'],
  'jp-east-4': ['jp-east-41'],
  'jp-west-1': ['west-11', 'west-12', 'west-13'],
  'jp-west-2': ['jp-west-21'],
  'us-east-1': ['us-east-11'],
};

/** The region of a zone, as `NifcloudOptions.region` takes it; `undefined` = not known to this table. */
export function regionOfZone(zone: string): string | undefined {
  return Object.keys(ZONES).find((region) => ZONES[region]?.includes(zone));
}

/** The regions of the cloud, and the zones of this one. Source: docs/reference/nifcloud-api.md §7. */
export class Regions {
  readonly #regions: SharedRead<readonly Region[]>;
  readonly #zones: SharedRead<readonly Zone[]>;

  constructor(api: Api, clock: Clock) {
    this.#regions = new SharedRead((signal) => api.read('DescribeRegions', {}, parseRegions, signal), clock);
    this.#zones = new SharedRead((signal) => api.read('DescribeAvailabilityZones', {}, parseZones, signal), clock);
  }

  /** All regions, in one call that is shared with whoever asks at the same moment. */
  list(signal: AbortSignal): Promise<readonly Region[]> {
    return this.#regions.get(signal);
  }

  /** The zones of this region, in one call that is shared with whoever asks at the same moment. */
  zones(signal: AbortSignal): Promise<readonly Zone[]> {
    return this.#zones.get(signal);
  }
}

function parseRegions(answer: XmlElement): readonly Region[] {
  return answer.items('regionInfo').map((region) => ({
    name: region.requiredText('regionName'),
    endpoint: region.text('regionEndpoint'),
    isDefault: isTrue(region, 'isDefault'),
  }));
}

function parseZones(answer: XmlElement): readonly Zone[] {
  return answer.items('availabilityZoneInfo').map((zone) => ({
    name: zone.requiredText('zoneName'),
    regionName: zone.text('regionName'),
    state: zone.text('zoneState'),
    isDefault: isTrue(zone, 'isDefault'),
    hasFirewallGroups: isTrue(zone, 'securityGroupSupported'),
  }));
}
