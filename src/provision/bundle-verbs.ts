export { type LoadRequest, type LoadResult, loadImages } from './bundle-load.js';
export { planSave, type SavePlan, type SaveRequest, type SaveResult, saveImages } from './bundle-save.js';
export { type ServeRequest, type Serving, serveImages } from './bundle-serve.js';
export { type SyncRequest, type SyncResult, syncImages } from './bundle-sync.js';
