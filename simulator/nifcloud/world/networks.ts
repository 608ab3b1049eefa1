import type { Transition } from './transition.ts';

/** The two networks that every account has. */
export const COMMON_NETWORKS = { global: 'net-COMMON_GLOBAL', private: 'net-COMMON_PRIVATE' } as const;

export interface PrivateLan {
  /** `net-` and 8 letters and digits. */
  readonly id: string;
  readonly name: string;
  readonly zone: string;
  readonly cidr: string;
}

export interface Router {
  /** `rtr-` and 8 letters and digits (the prefix is a guess). */
  readonly id: string;
  readonly name: string;
  readonly zone: string;
  /** Ids of private LANs or common networks, with the router's address in each. */
  readonly interfaces: readonly { readonly networkId: string; readonly ipAddress: string }[];
  /** '' = none. */
  routeTableId: string;
  /** '' = none. */
  routeTableAssociationId: string;
  transition: Transition | undefined;
}

export interface RouteTable {
  /** `rtb-` and 8 letters and digits (the prefix is a guess). */
  readonly id: string;
  readonly routes: Route[];
}

/** Exactly one of `ipAddress` and `networkId` is set. */
export interface Route {
  readonly destinationCidr: string;
  readonly ipAddress: string;
  readonly networkId: string;
  readonly networkName: string;
}
