import { fileURLToPath } from 'node:url';
import { goProgram } from '../go-programs.ts';

/**
 * The program of the version that `go.mod` pins, from the user's cache folder: some 10 s the first time, a minute or two where Go has
 * nothing cached.
 * @throws Error when there is no Go that can build it
 */
export async function csiSanity(): Promise<string> {
  return await goProgram({
    name: 'csi-sanity',
    module: fileURLToPath(new URL('.', import.meta.url)),
    path: 'github.com/kubernetes-csi/csi-test/v5/cmd/csi-sanity',
  });
}
