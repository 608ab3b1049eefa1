import type { Call, Handler } from '../api/call.ts';
import { Refusal } from '../api/refusal.ts';
import { illegal } from '../api/wire.ts';
import type { Parameters } from '../api/wire.ts';
import { requireZoneOfGroup, settledGroup } from '../world/firewall-groups.ts';
import { rebootServer } from '../world/power.ts';
import { isUp, renameServer, requireSettledServer, SERVER_NAME, serverNamed } from '../world/servers.ts';
import type { Server } from '../world/servers.ts';

/**
 * What ModifyInstanceAttribute can change: each one checks `Value`, then changes the server at once. Those of the SDK model that
 * are not built are refused as such.
 */
const ATTRIBUTES: Readonly<Record<string, (call: Call, server: Server) => void>> = {
  instanceType: changeType,
  disableApiTermination: notBuilt,
  instanceName: changeName,
  description: ({ parameters }, server) => {
    server.description = parameters.text('Value') ?? '';
  },
  ipType: notBuilt,
  groupId: changeGroup,
  accountingType: ({ parameters }, server) => {
    server.nextMonthAccountingType = parameters.choice('Value', ['1', '2']) ?? parameters.requiredText('Value');
  },
};

/** The tenancy by its name, and as the SDK model spells it. */
const TENANCIES = ['default', 'dafault', 'dedicated'] as const;

/** ModifyInstanceAttribute: one attribute a call. Keys and attributes are those of the SDK model. */
export const modifyInstanceAttribute: Handler = (call) => {
  const { world, parameters } = call;
  const server = serverNamed(world, parameters.requiredText('InstanceId'));
  const attribute = parameters.choice('Attribute', Object.keys(ATTRIBUTES)) ?? parameters.requiredText('Attribute');
  if (parameters.choice('Tenancy', TENANCIES) === 'dedicated')
    throw illegal('Tenancy', 'the server is of the default one');
  requireSettledServer(server);
  ATTRIBUTES[attribute]?.(call, server);
  return { return: true };
};

/**
 * A server that is up is rebooted for it. The published Terraform provider sends no NiftyReboot and waits for the server to run,
 * so a reboot must be what happens without one; with `false` the call is refused (invented).
 */
function changeType(call: Call, server: Server): void {
  const { parameters } = call;
  const type = readInstanceType(parameters, 'Value') ?? parameters.requiredText('Value');
  const reboot = parameters.choice('NiftyReboot', ['force', 'true', 'false']) ?? 'true';
  const force = parameters.boolean('Force') ?? reboot === 'force';
  if (isUp(server)) {
    if (reboot === 'false') {
      throw new Refusal(
        'Client.Inoperable.Instance.Running',
        `server ${server.name} must be stopped or rebooted for it`,
      );
    }
    rebootServer(server, call.transition('power'), { force });
  }
  server.type = type;
}

function changeName({ world, parameters }: Call, server: Server): void {
  const name = parameters.requiredText('Value');
  if (!SERVER_NAME.test(name)) throw illegal('Value', `${name} is not 1 to 15 letters and digits`);
  if (world.servers.has(name)) {
    throw new Refusal('Client.InvalidParameterDuplicate.Instance', `there is a server ${name} already`);
  }
  renameServer(world, server, name);
}

/** As RegisterInstancesWithSecurityGroup: the server leaves the group that it was in. */
function changeGroup(call: Call, server: Server): void {
  const group = settledGroup(call.world, call.parameters.requiredText('Value'));
  requireZoneOfGroup(group, server);
  server.firewallGroup = group.name;
  group.transition = call.transition('firewall');
}

function notBuilt({ parameters }: Call): never {
  throw illegal('Attribute', `the simulator can't change ${parameters.text('Attribute')}`);
}

/** A type is looked at by its form alone: which ones there are differs by zone (docs/reference/nifcloud-api.md §2.2). */
export function readInstanceType(parameters: Parameters, name: string): string | undefined {
  const type = parameters.text(name);
  if (type !== undefined && !/^[a-z0-9-]+$/.test(type)) throw illegal(name, `${type} is no type such as e-medium`);
  return type;
}
