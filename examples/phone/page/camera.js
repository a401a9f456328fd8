// A live camera, for computers; phones have an app that takes better pictures.

/** Show the camera in a video element and return how to stop it. */
export async function startCamera(video) {
  const size = { width: { ideal: 3840 }, height: { ideal: 2160 } };
  const wanted = { video: { facingMode: "environment", ...size }, audio: false };
  const stream = await navigator.mediaDevices.getUserMedia(wanted);
  video.srcObject = stream;
  await video.play();
  return () => {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  };
}
