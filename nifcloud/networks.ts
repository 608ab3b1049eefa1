import { isTrue } from './answers.ts';
import { SharedRead } from './shared-read.ts';
import type { Clock } from './surroundings.ts';
import type { Api } from './transport.ts';
import type { XmlElement } from './xml.ts';

/** A router between networks. Texts that the cloud leaves empty are `''`. */
export interface Router {
  readonly id: string;
  readonly name: string;
  readonly zone: string;
  /** `available`; `pending` while it is changed; `stopped`, `warning` or another text. */
  readonly state: string;
  /** `''` = none. */
  readonly routeTableId: string;
  readonly routeTableAssociationId: string;
  /** Kept from before its last change of version; (dis)associating a route table then needs an agreement to drop it. */
  readonly hasBackup: boolean;
  readonly interfaces: readonly {
    /** `net-COMMON_GLOBAL`, `net-COMMON_PRIVATE`, or the id of a private LAN. */
    readonly networkId: string;
    readonly networkName: string;
    readonly address: string;
  }[];
}

/** A private LAN. Texts that the cloud leaves empty are `''`. */
export interface PrivateLan {
  /** `net-` and 8 characters. */
  readonly id: string;
  readonly name: string;
  readonly zone: string;
  /** `available`; `pending` while it is changed. */
  readonly state: string;
  readonly cidr: string;
}

/** The routers and private LANs of the region, to be looked at. Source: docs/reference/nifcloud-api.md §7. */
export class Networks {
  readonly #routers: SharedRead<readonly Router[]>;
  readonly #privateLans: SharedRead<readonly PrivateLan[]>;

  constructor(api: Api, clock: Clock) {
    this.#routers = new SharedRead((signal) => api.read('NiftyDescribeRouters', {}, parseRouters, signal), clock);
    this.#privateLans = new SharedRead(
      (signal) => api.read('NiftyDescribePrivateLans', {}, parsePrivateLans, signal),
      clock,
    );
  }

  /** All routers, in one call that is shared with whoever asks at the same moment. */
  routers(signal: AbortSignal): Promise<readonly Router[]> {
    return this.#routers.get(signal);
  }

  /** All private LANs, in one call that is shared with whoever asks at the same moment. */
  privateLans(signal: AbortSignal): Promise<readonly PrivateLan[]> {
    return this.#privateLans.get(signal);
  }
}

/** An entry without an id makes the answer unreadable: leaving it out would say that it does not exist. */
function parseRouters(answer: XmlElement): readonly Router[] {
  return answer.items('routerSet').map((router) => ({
    id: router.requiredText('routerId'),
    name: router.text('routerName'),
    zone: router.text('availabilityZone'),
    state: router.text('state'),
    routeTableId: router.text('routeTableId'),
    routeTableAssociationId: router.text('routeTableAssociationId'),
    hasBackup: isTrue(router.child('backupInformation'), 'isBackup'),
    interfaces: router.items('networkInterfaceSet').map((one) => ({
      networkId: one.text('networkId'),
      networkName: one.text('networkName'),
      address: one.text('ipAddress'),
    })),
  }));
}

function parsePrivateLans(answer: XmlElement): readonly PrivateLan[] {
  return answer.items('privateLanSet').map((lan) => ({
    id: lan.requiredText('networkId'),
    name: lan.text('privateLanName'),
    zone: lan.text('availabilityZone'),
    state: lan.text('state'),
    cidr: lan.text('cidrBlock'),
  }));
}
