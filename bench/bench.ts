import { ccmScaleFigures } from './ccm-scale.ts';
import { ccmFigures } from './ccm.ts';
import { clientFigures } from './client.ts';
import type { Figure } from './figure.ts';
import { kubeFigures } from './kube.ts';
import { simulatorFigures } from './simulator.ts';

for (const figures of [clientFigures, kubeFigures, simulatorFigures, ccmFigures, ccmScaleFigures]) {
  for (const figure of await figures()) print(figure);
}

/** One line for each figure, as soon as it is there. */
function print({ what, unit, values }: Figure): void {
  const columns = Object.entries(values).map(([name, value]) => `${name}: ${number(value).padStart(8)}`);
  process.stdout.write(`${what.padEnd(70)} ${unit.padEnd(8)} ${columns.join('   ')}\n`);
}

function number(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 1 });
}
