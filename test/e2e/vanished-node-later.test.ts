import { leavesItsDisks } from './vanished-node.ts';

describe('a node whose server vanishes', leavesItsDisks);
