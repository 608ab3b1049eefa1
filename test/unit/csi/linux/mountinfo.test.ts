import { assert } from 'chai';
import * as fc from 'fast-check';
import { isReadOnly, isSamePlace, mountsAt, parseMountinfo, placeOf } from '../../../../csi/linux/mountinfo.ts';

const row = (options: string, superOptions: string): string => `1 1 8:16 / /m ${options} - ext4 s ${superOptions}`;

const escape = (path: string): string =>
  path.replaceAll(/[ \t\n\\#]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);

describe('parseMountinfo', () => {
  it('reads rows with none and with several optional fields', () => {
    const text =
      '22 27 0:21 / /proc rw,relatime - proc proc rw\n' +
      '91 27 8:16 / /var/lib/x rw,noatime shared:7 master:3 unbindable - ext4 /dev/sdb rw,errors=continue\n';
    const [proc, disk] = parseMountinfo(text);
    assert.deepInclude(proc, { device: '0:21', point: '/proc', fileSystem: 'proc' });
    assert.deepEqual(disk, {
      device: '8:16',
      root: '/',
      point: '/var/lib/x',
      readOnly: false,
      fileSystemReadOnly: false,
      fileSystem: 'ext4',
      source: '/dev/sdb',
    });
  });

  it('calls read-only what is so by the mount or by the file system, and nothing else', () => {
    assert.isTrue(parseMountinfo(row('ro,relatime', 'rw'))[0]?.readOnly);
    assert.isTrue(parseMountinfo(row('rw', 'ro,errors=remount-ro'))[0]?.readOnly);
    assert.isFalse(parseMountinfo(row('rw', 'rw,errors=remount-ro'))[0]?.readOnly);
  });

  it('tells a file system that can not be written anywhere from a mount that can not', () => {
    assert.isTrue(parseMountinfo(row('rw', 'ro'))[0]?.fileSystemReadOnly);
    assert.isFalse(parseMountinfo(row('ro', 'rw'))[0]?.fileSystemReadOnly);
    assert.isTrue(parseMountinfo(row('rw', 'rw,emergency_ro'))[0]?.fileSystemReadOnly);
    assert.isFalse(parseMountinfo(row('rw', 'rw,errors=remount-ro'))[0]?.fileSystemReadOnly);
  });

  it('keeps the order, in which the visible layer is the last', () => {
    const mounts = parseMountinfo(
      '1 1 8:1 / /m rw - ext4 a rw\n2 1 8:2 / /n rw - ext4 b rw\n3 1 8:3 / /m rw - ext4 c rw',
    );
    assert.deepEqual(
      mountsAt(mounts, '/m').map(({ device }) => device),
      ['8:1', '8:3'],
    );
  });

  it('takes back what the kernel has escaped, in any path', () => {
    const path = fc.string({ unit: fc.oneof(fc.constantFrom(' ', '\\', '\n', '\t', '#', '-', 'ボ'), fc.string()) });
    fc.assert(
      fc.property(
        path.filter((text) => text !== '' && !/[\0\r]/.test(text)),
        (text) => {
          const [mount] = parseMountinfo(`1 1 8:16 /${escape(text)} /${escape(text)} rw - ext4 /${escape(text)} rw`);
          assert.deepInclude(mount, { root: `/${text}`, point: `/${text}`, source: `/${text}` });
        },
      ),
    );
  });

  it('refuses a row that it does not understand, so that no mount is overlooked', () => {
    for (const line of ['1 1 8:16 / /m rw ext4 s rw', '1 1 sdb / /m rw - ext4 s rw', 'nonsense']) {
      assert.throws(() => parseMountinfo(`22 27 0:21 / /proc rw - proc proc rw\n${line}\n`), /not understood/);
    }
  });
});

describe('placeOf', () => {
  const mounts = parseMountinfo(
    '1 1 8:1 / / rw - ext4 a rw\n' +
      '2 1 0:5 / /dev rw - devtmpfs udev rw\n' +
      '3 1 8:1 /var/kubelet /k rw - ext4 a rw\n' +
      '4 1 8:16 / /k/plugins rw - ext4 b rw\n' +
      '5 1 8:32 / /k/plugins rw - ext4 c rw\n' +
      '6 1 0:5 /sdb /k/target rw - devtmpfs udev rw\n',
  );
  const cases: Readonly<Record<string, string>> = {
    '/etc/x': '8:1 /etc/x',
    '/dev/sdb': '0:5 /sdb',
    '/dev': '0:5 /',
    '/device': '8:1 /device',
    '/k/pods/p': '8:1 /var/kubelet/pods/p',
    '/k/plugins/x': '8:32 /x',
    '/k/target': '0:5 /sdb',
  };
  for (const [path, place] of Object.entries(cases)) {
    it(`finds ${path} at ${place}`, () => {
      const found = placeOf(mounts, path);
      assert.equal(`${found?.device} ${found?.root}`, place);
    });
  }

  it('knows a device node again where it is bound', () => {
    const [node, target] = [placeOf(mounts, '/dev/sdb'), placeOf(mounts, '/k/target')];
    assert.isTrue(isSamePlace(node!, target!));
    assert.isFalse(isSamePlace(node!, placeOf(mounts, '/dev/sdc')!));
  });
});

describe('isReadOnly', () => {
  const cases: readonly (readonly [readonly string[], boolean])[] = [
    [[], false],
    [['ro'], true],
    [['noatime,ro'], true],
    [['ro', 'rw'], false],
    [['errors=remount-ro'], false],
    [['context="a,ro,b"'], false],
  ];
  for (const [flags, readOnly] of cases) {
    it(`is ${readOnly} for ${JSON.stringify(flags)}`, () => assert.equal(isReadOnly(flags), readOnly));
  }
});
