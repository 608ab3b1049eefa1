import type { Call, Handler } from '../api/call.ts';
import { Refusal } from '../api/refusal.ts';
import { illegal } from '../api/wire.ts';
import type { Parameters, XmlFields } from '../api/wire.ts';
import { rebootServer, startServer, stopServer } from '../world/power.ts';
import { isUp, noSuchServer, requireSettledServer, serverNamed } from '../world/servers.ts';
import type { Server } from '../world/servers.ts';
import { stateFields, TENANCY } from './instances.ts';
import { readInstanceType } from './instance-attributes.ts';

/** StartInstances. The type and the accounting type at a server's place in their lists become the server's (guess). */
export const startInstances: Handler = (call) => {
  const { parameters } = call;
  refuseBios(parameters);
  readUserData(parameters);
  const wanted = namedServers(call).map(({ server, index }) => ({
    server,
    type: readInstanceType(parameters, `InstanceType.${index}`) ?? server.type,
    accountingType: parameters.choice(`AccountingType.${index}`, ['1', '2']) ?? server.nextMonthAccountingType,
    isThere: isThereAlready(call, server, isUp(server)),
  }));
  return {
    instancesSet: {
      item: wanted.map(({ server, type, accountingType, isThere }) =>
        change(server, () => {
          if (isThere) return;
          server.type = type;
          server.nextMonthAccountingType = accountingType;
          startServer(server, call.transition('power'));
        }),
      ),
    },
  };
};

/** StopInstances: without Force the guest shuts down, with it the power is cut (docs/reference/nifcloud-api.md §2.5). */
export const stopInstances: Handler = (call) => {
  const force = call.parameters.boolean('Force') ?? false;
  const wanted = namedServers(call).map(({ server }) => ({
    server,
    isThere: isThereAlready(call, server, !isUp(server)),
  }));
  return {
    instancesSet: {
      item: wanted.map(({ server, isThere }) =>
        change(server, () => {
          if (!isThere) stopServer(server, call.transition('power'), { force });
        }),
      ),
    },
  };
};

/** RebootInstances: of servers that are up. */
export const rebootInstances: Handler = (call) => {
  const { parameters } = call;
  refuseBios(parameters);
  readUserData(parameters);
  const force = parameters.boolean('Force') ?? false;
  const servers = namedServers(call).map(({ server }) => server);
  const down = servers.find((server) => !isUp(server));
  if (down !== undefined) throw inState(down);
  for (const server of servers) rebootServer(server, call.transition('power'), { force });
  return { return: true };
};

/** The servers of `InstanceId.N`, each once, with their N. @throws Refusal unless all exist, are of the tenancy and can be changed */
function namedServers({ world, parameters }: Call): readonly { readonly server: Server; readonly index: number }[] {
  const indexes = parameters.indexes('InstanceId');
  if (indexes.length === 0) parameters.requiredText('InstanceId.1');
  const tenancies = parameters.list('Tenancy');
  const found = new Map<Server, number>();
  for (const index of indexes) {
    const server = serverNamed(world, parameters.requiredText(`InstanceId.${index}`));
    if (tenancies.length > 0 && !tenancies.includes(TENANCY)) throw noSuchServer(`${server.name} of that tenancy`);
    requireSettledServer(server);
    if (!found.has(server)) found.set(server, index);
  }
  return [...found].map(([server, index]) => ({ server, index }));
}

/** What the cloud does with a server that is where it should go is unknown: the switch `same-power-state` (nifcloud-api.md §11 no. 17). */
function isThereAlready({ world }: Call, server: Server, isThere: boolean): boolean {
  if (isThere && world.switches['same-power-state'] === 'refuse') throw inState(server);
  return isThere;
}

function inState(server: Server): Refusal {
  return new Refusal(
    isUp(server) ? 'Client.Inoperable.Instance.Running' : 'Client.Inoperable.Instance.Stopped',
    `server ${server.name} is ${server.state}`,
  );
}

/** A member of the answer, around the change. */
function change(server: Server, make: () => void): XmlFields {
  const previousState = stateFields(server);
  make();
  return {
    instanceId: server.name,
    instanceUniqueId: server.uniqueId,
    currentState: stateFields(server),
    previousState,
    tenancy: TENANCY,
  };
}

function refuseBios(parameters: Parameters): void {
  if (parameters.boolean('NiftyIsBios') === true)
    throw illegal('NiftyIsBios', 'the servers of the simulator have no BIOS');
}

/** What the guest runs at its start: there is no guest, so only its form is looked at. */
function readUserData(parameters: Parameters): void {
  parameters.text('UserData');
  parameters.choice('UserData.Encoding', ['base64']);
}
