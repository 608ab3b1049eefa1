import type { Row } from './row.ts';

const STOP = { action: 'StopInstances', parameters: { 'InstanceId.1': 'node01', Force: false } } as const;

/** docs/reference/nifcloud-api.md §1. */
export const COMMON: readonly Row[] = [
  {
    rule: 'an unknown access key is refused (§1.6)',
    keys: { accessKeyId: 'NOBODYSKEY', secretAccessKey: 'secret' },
    action: 'DescribeRegions',
    parameters: {},
    typed: ({ regions }, signal) => regions.list(signal),
    refused: 'Client.AuthFailure',
  },
  {
    rule: 'a signature by another secret is refused (§1.3, §1.6)',
    keys: { accessKeyId: 'DEMOACCESSKEY0000001', secretAccessKey: 'another' },
    ...STOP,
    typed: ({ servers }, signal) => servers.stop('node01', { force: false }, signal),
    refused: 'Client.AuthFailure',
  },
  {
    rule: 'an action that does not exist is refused (§10)',
    action: 'CreateVolumes',
    parameters: { Size: 100 },
    refused: 'Client.InvalidParameterIllegalInput.Action',
  },
  {
    rule: 'names of actions are spelled as in the sheet, capitals and all (§1.1)',
    action: 'describeVolumes',
    parameters: {},
    refused: 'Client.InvalidParameterIllegalInput.Action',
  },
  {
    rule: 'awkward characters survive signing, sending and answering (§1.3)',
    action: 'ModifyVolumeAttribute',
    parameters: { VolumeId: 'disk2', Attribute: 'description', Value: 'pvc 01*~(テスト)/+&=<>"\'!%41 ]]>' },
    typed: ({ volumes }, signal) => volumes.setDescription('disk2', 'pvc 01*~(テスト)/+&=<>"\'!%41 ]]>', signal),
    now: { 'volumes.disk2': { description: 'pvc 01*~(テスト)/+&=<>"\'!%41 ]]>' } },
  },
  {
    rule: '… as example B has them (§1.3)',
    given: [['ModifyVolumeAttribute', { VolumeId: 'disk2', Attribute: 'description', Value: 'pvc 01*~(テスト)/+&=' }]],
    action: 'DescribeVolumes',
    parameters: {},
    typed: async ({ volumes }, signal) => (await volumes.list(signal))[1],
    returns: { id: 'disk2', description: 'pvc 01*~(テスト)/+&=' },
    answer: { 'volumeSet.item.1.description': 'pvc 01*~(テスト)/+&=' },
  },
  {
    rule: 'lists of more than nine entries are signed in byte order: 1, 10, 2 (§1.3)',
    fleet: { disks: Array.from({ length: 12 }, (_, at) => ({ id: `vol${at + 1}`, zone: 'east-11' })) },
    action: 'DescribeVolumes',
    parameters: Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`VolumeId.${at + 1}`, `vol${at + 1}`])),
    answer: {
      'volumeSet.item.0.volumeId': 'vol1',
      'volumeSet.item.9.volumeId': 'vol10',
      'volumeSet.item.12': undefined,
    },
  },
  {
    rule: 'an internal error comes with 500; a change is not sent again (§1.6, §1.7)',
    fault: { kind: 'refuse', code: 'Server.InternalError' },
    ...STOP,
    typed: ({ servers }, signal) => servers.stop('node01', { force: false }, signal),
    refused: 'Server.InternalError',
  },
  {
    rule: 'maintenance is told by its code; a change is not sent again (§1.6, §1.7)',
    fault: { kind: 'refuse', code: 'Server.Maintenance' },
    ...STOP,
    typed: ({ servers }, signal) => servers.stop('node01', { force: false }, signal),
    refused: 'Server.Maintenance',
  },
  {
    rule: 'a stop that fails in the back end is told by its code (§1.6)',
    fault: { kind: 'refuse', code: 'Server.ProcessingFailure.Instance.Stop' },
    ...STOP,
    typed: ({ servers }, signal) => servers.stop('node01', { force: false }, signal),
    refused: 'Server.ProcessingFailure.Instance.Stop',
  },
];
