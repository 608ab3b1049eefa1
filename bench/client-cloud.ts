import { createServer } from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';

/** A cloud in a thread of its own that answers at once: DescribeVolumes with so many disks, all else with nothing. Posts its port. */
const { disks } = workerData as { readonly disks: number };

const volumes = Array.from({ length: disks }, (_, at) => {
  const unset = '<snapshotId/><deleteOnTermination/>';
  const attachment =
    `<volumeId>vol${at}</volumeId><instanceId>node${at % 1000}</instanceId><instanceUniqueId>i-${at % 1000}</instanceUniqueId>` +
    '<device>SCSI (0:1)</device><status>attached</status><attachTime>2024-06-13T14:02:53.000+09:00</attachTime>';
  return (
    `<item><volumeId>vol${at}</volumeId><volumeUniqueId>vol-${at}</volumeUniqueId><size>100</size>${unset}` +
    '<diskType>Standard Flash Storage A</diskType><availabilityZone>east-11</availabilityZone><status>in-use</status>' +
    '<createTime>2024-06-13T14:02:53.000+09:00</createTime><accountingType>2</accountingType>' +
    `<nextMonthAccountingType>2</nextMonthAccountingType><attachmentSet><item>${attachment}</item></attachmentSet>` +
    `<description>pvc-00000000-0000-0000-0000-${at} &amp; more</description></item>`
  );
});
const listing = `<?xml version="1.0" encoding="UTF-8"?><DescribeVolumesResponse xmlns="https://computing.api.nifcloud.com/api/"><volumeSet>${volumes.join('')}</volumeSet></DescribeVolumesResponse>`;

const server = createServer((request, response) => {
  let form = '';
  request.on('data', (chunk: Buffer) => (form += chunk.toString()));
  request.on('end', () => {
    const action = new URLSearchParams(form).get('Action') ?? '';
    response.end(action === 'DescribeVolumes' ? listing : `<${action}Response/>`);
  });
});
server.listen(0, '127.0.0.1', () => parentPort?.postMessage(server.address(), []));
