import type { Transition } from './transition.ts';

/** A firewall group ("security group"). Its members are the servers that name it. */
export interface FirewallGroup {
  name: string;
  readonly zone: string;
  description: string;
  readonly rules: FirewallRule[];
  ruleLimit: number;
  logLimit: number;
  logFilterNetBios: boolean;
  logFilterBroadcast: boolean;
  /** It shows as `processing` meanwhile. */
  transition: (Transition & { readonly deletes?: true }) | undefined;
}

/** An allow rule for one peer. */
export interface FirewallRule {
  readonly protocol: string;
  /** 0 = no ports (ICMP and the like). */
  readonly fromPort: number;
  readonly toPort: number;
  readonly direction: 'IN' | 'OUT';
  /** Address or CIDR as written; '' = `group` is the peer. */
  readonly cidr: string;
  /** Name of a group; '' = `cidr` is the peer. */
  readonly group: string;
  readonly description: string;
  readonly addedAtMs: number;
}
