/** The CSI driver. */
export const DRIVER = 'additional-storage.csi.nifcloud.com';
