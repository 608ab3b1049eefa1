import { ccmScaleFigures } from './ccm-scale.ts';
import { ccmProcessFigures } from './ccm-process.ts';
import { ccmFigures } from './ccm.ts';
import { clientFigures } from './client.ts';
import { csiProcessFigures } from './csi-processes.ts';
import { csiFigures } from './csi.ts';
import { print } from './figure.ts';
import { kubeFigures } from './kube.ts';
import { simulatorFigures } from './simulator.ts';

for (const figures of [
  clientFigures,
  kubeFigures,
  simulatorFigures,
  ccmFigures,
  ccmProcessFigures,
  ccmScaleFigures,
  csiFigures,
  csiProcessFigures,
]) {
  for (const figure of await figures()) print(figure);
}
