import { vanishes } from './vanished-node.ts';

describe('a node whose server vanishes', vanishes);
