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
  /**
   * The disk leaves while this kernel still has the device: from now on every read through the node at `nodePath` fails.
   * True: the device was open, by a mount or a program.
   */
  sever(nodePath: string): Promise<boolean>;
  /** Writes out what was written to the device itself, past any file system. */
  flush(): Promise<void>;
  /** Gives the device up. False: it is still mounted or open, and goes when that ends. */
  close(): Promise<boolean>;
  /** Takes the disk from those who still have the device after `close`: it has what was acknowledged to them, and their writes fail. */
  cutOff(): Promise<void>;
}

/** Where block devices come from. */
export interface BlockDevices {
  /** Opens an image. What was written through an earlier, closed device of the image is there. */
  open(image: string): Promise<BlockDevice>;
  /** Removes what devices that are still in use have left beside the images. */
  stop(): Promise<void>;
}
