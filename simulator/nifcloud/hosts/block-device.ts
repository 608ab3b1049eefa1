/** A disk image as one simulated server's kernel has it open. */
export interface BlockDevice {
  /** `major:minor`; no other device of this run ever has the same. */
  readonly number: string;
  /** Puts the device node, or a link that serves as one, at `path`. */
  makeNode(path: string): Promise<void>;
  /** The size this kernel knows, in bytes. */
  sizeBytes(): Promise<number>;
  /** Takes notice of a grown image. */
  rescan(): Promise<void>;
  /** The disk leaves while this kernel still has the device: from now on every read through the node at `nodePath` fails. */
  sever(nodePath: string): Promise<void>;
  /** Gives the device up. False: it is still mounted or open, and goes when that ends. */
  close(): Promise<boolean>;
}

/** Where block devices come from. */
export interface BlockDevices {
  /** Opens an image. What was written through an earlier, closed device of the image is there. */
  open(image: string): Promise<BlockDevice>;
}
