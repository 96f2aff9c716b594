#!/bin/sh
# Makes every file of this folder anew. Needs ffmpeg and ffprobe (Debian: apt install ffmpeg fonts-dejavu-core), fdkaac,
# and in MODERN_FFMPEG one that writes Enhanced RTMP with several tracks (9.0 was used; static builds are around).
# The results are kept in the repository, so nobody has to run this; see README.md.
set -eu
cd "$(dirname "$0")"
encode="ffmpeg -y -hide_banner -loglevel error -nostdin"
modern="${MODERN_FFMPEG:?a newer ffmpeg, see above} -y -hide_banner -loglevel error -nostdin"
exact="-flags +bitexact -fflags +bitexact -map_metadata -1"

# The clip of `headwater demo`: water, name, clock, progress bar; a beep and a white square on each second.
# Picture and tone have periods that divide 10 s, so it loops without a seam. No B-frames, a key frame
# every 2 s. AAC starts at 0 with its 1024 samples of priming, which are cut from the tone in front.
# setts counts in milliseconds here because that is the time base of FLV.
demo() {
  $encode -filter_complex "
    color=c=black:s=320x180:r=25:d=10, format=yuv444p,
    geq=lum='clip(84+38*sin(X/29+Y/53+2*PI*T/5)+26*sin(Y/17-X/71-2*PI*T/2)+14*sin((X+2*Y)/23+2*PI*T/2.5)+30*Y/H,16,235)'
       :cb='150+14*sin(X/61-2*PI*T/5)':cr='104+10*sin(Y/37+2*PI*T/10)',
    scale=640:360:flags=bicubic,
    drawbox=x=0:y=ih-14:w=iw:h=14:color=black@0.5:t=fill,
    drawtext=font='DejaVu Sans':text='Headwater':fontsize=84:fontcolor=white
       :shadowcolor=black@0.5:shadowx=3:shadowy=3:x=(w-text_w)/2:y=62,
    drawtext=font='DejaVu Sans Mono':timecode='00\:00\:00\:00':rate=25:fontsize=58:fontcolor=white
       :box=1:boxcolor=black@0.45:boxborderw=12:x=(w-text_w)/2:y=200 [picture];
    color=c=0xFFD24A:s=640x14:r=25:d=10 [bar];
    [picture][bar] overlay=x='-w+w*(t+0.04)/10':y=H-14:shortest=1,
    drawbox=x=592:y=24:w=24:h=24:color=white:t=fill:enable='lt(mod(t+0.001,1),0.12)',
    format=yuv420p [video];
    aevalsrc=s=48000:d=10.03:exprs='
       0.05*sin(2*PI*220*t)+0.03*sin(2*PI*330*t)+0.25*sin(2*PI*880*t)*lt(mod(t\,1)\,0.1)*sin(PI*mod(t\,1)/0.1)|
       0.05*sin(2*PI*220*t)+0.03*sin(2*PI*277*t)+0.25*sin(2*PI*880*t)*lt(mod(t\,1)\,0.1)*sin(PI*mod(t\,1)/0.1)',
    atrim=start_sample=1024, asetpts=N/SR/TB [audio]" \
    -map '[video]' -map '[audio]' \
    -c:v libx264 -preset veryslow -profile:v main -level 3.1 -bf 0 -g 50 -keyint_min 50 -sc_threshold 0 \
    -b:v 850k -maxrate 1100k -bufsize 1100k -x264-params stitchable=1 -bsf:v "setts=ts=N*40" \
    -c:a aac -b:a 96k -frames:a 469 -bsf:a "setts=ts=round(N*1024/48)" \
    $exact -flvflags no_duration_filesize -f flv demo.flv
}

# A small source with everything that the fixtures need: 2 s, 160x120, 25 fps, stereo tone.
picture="-f lavfi -i testsrc2=s=160x120:r=25:d=2"
tone="-f lavfi -i sine=f=440:r=44100:d=2"
h264="-c:v libx264 -preset veryfast -b:v 120k -g 25 -keyint_min 25 -sc_threshold 0 -pix_fmt yuv420p -threads 1"
aac="-c:a aac -b:a 48k -ac 2"

demo
# MP4 as most tools write it: B-frames, an edit list for their delay and for the priming, moov behind mdat.
$encode $picture $tone $h264 -bf 2 $aac $exact bframes.mp4
# The same with moov in front ("fast start"), and as F4V.
$encode -i bframes.mp4 -c copy $exact -movflags +faststart faststart.mp4
$encode -i bframes.mp4 -c copy $exact -f f4v film.f4v
# Fragmented: a fragment per key frame, empty moov.
$encode -i bframes.mp4 -c copy $exact -movflags +frag_keyframe+empty_moov+default_base_moof fragmented.mp4
# FLV with B-frames and a key frame index in onMetaData.
$encode -i bframes.mp4 -c copy $exact -flvflags +add_keyframe_index keyframes.flv
# FLV with one track only, and with MP3.
$encode $tone $aac $exact audio.flv
$encode $picture $h264 -bf 0 $exact video.flv
$encode $picture $tone $h264 -bf 0 -c:a libmp3lame -b:a 48k -ac 2 $exact mp3.flv
# MP3 and two kinds of track that are not played, in MP4.
printf '1\n00:00:00,000 --> 00:00:01,000\nA caption\n' > /tmp/captions.$$.srt
$encode $picture $tone -i /tmp/captions.$$.srt $h264 -bf 0 -c:a libmp3lame -b:a 48k -ac 2 -c:s mov_text $exact mp3.mp4
rm /tmp/captions.$$.srt

# Enhanced RTMP: codecs by FourCC. A second is enough. The H.265 says in a metadata packet that it is HDR.
picture="-f lavfi -i testsrc2=s=160x90:r=25:d=1"
tone="-f lavfi -i sine=f=440:r=48000:d=1"
small="-b:v 60k -g 13 -pix_fmt yuv420p -threads 1"
hdr="setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc"
$modern $picture $tone -vf $hdr -c:v libx265 -preset ultrafast $small -pix_fmt yuv420p10le -bf 2 \
  -x265-params log-level=none:info=0:pools=1 -c:a aac -b:a 32k -ac 2 $exact hevc.flv
SVT_LOG=1 $modern $picture $tone -c:v libsvtav1 -preset 10 $small -svtav1-params lp=1 \
  -c:a libopus -b:a 32k -ac 2 $exact av1.flv
$modern $picture $tone -c:v libvpx-vp9 $small -c:a flac -ac 1 $exact vp9.flv
$modern $picture -c:v libvvenc $small -pix_fmt yuv420p10le $exact vvc.flv
# Several tracks: the first of a kind is written the old way if it can be. AC-3 says its six channels.
$modern $picture $tone -map 0 -map 0 -map 1 -map 1 -map 1 -c:v:0 libx264 -c:v:1 libx265 -preset ultrafast $small -bf 0 \
  -x265-params log-level=none:info=0:pools=1 -c:a:0 aac -c:a:1 libopus -c:a:2 libmp3lame -b:a 32k -ac 2 \
  $exact multitrack.flv
$modern $tone -map 0 -map 0 -c:a:0 ac3 -ac:0 6 -c:a:1 eac3 -ac:1 2 -b:a 96k $exact ac3.flv

# HE-AAC, from ADTS, which cannot announce it: nor can the MP4. fdkaac is in Debian's contrib, its library in non-free.
he_aac() {
  $encode -f lavfi -i "anoisesrc=d=1.5:c=pink:a=0.3:r=48000:seed=1" -f lavfi -i "sine=440:r=48000:d=1.5" \
    -filter_complex "[0][1]join=inputs=2:channel_layout=stereo" -ac "$3" /tmp/he.$$.wav
  fdkaac --silent -p "$2" -f 2 -b "$4" -o /tmp/he.$$.aac /tmp/he.$$.wav
  $encode -i /tmp/he.$$.aac -c copy $exact "$1"
  rm /tmp/he.$$.wav /tmp/he.$$.aac
}
he_aac he-aac.mp4 5 2 32000
he_aac he-aac-mono.mp4 5 1 24000
he_aac he-aac-v2.mp4 29 2 24000

enhanced="hevc.flv av1.flv vp9.flv vvc.flv multitrack.flv ac3.flv"

# What ffprobe read from each: stream, decoding and presentation time in the stream's ticks, flags, size,
# checksum. advanced_editlist=0 makes it treat edit lists as a plain shift, as we do.
for file in *.flv *.mp4 *.f4v; do
  edits=""
  case $file in he-aac*) continue ;; esac
  case " $enhanced " in *" $file "*) continue ;; esac
  case $file in *.mp4 | *.f4v) edits="-advanced_editlist 0" ;; esac
  {
    ffprobe -v error $edits -show_entries stream=index,codec_name,time_base -of csv=p=0 "$file" | sed 's/^/stream /'
    ffprobe -v error $edits -show_data_hash adler32 \
      -show_entries packet=stream_index,pts,dts,size,flags,data_hash -of csv=p=0 "$file" | sed -z 's/,\n,/,/g'
  } > "$file.packets"
done

# The same lists of the files that only the newer ffmpeg reads. It comes without ffprobe: sizes and checksums are
# from one of its outputs, whether a packet is a key frame from another. Messages without a frame are packets
# without bytes to it.
for file in $enhanced; do
  $modern -copyts -i "$file" -map 0 -c copy $exact -f framehash -hash adler32 /tmp/hash.$$ \
    -map 0 -c copy $exact -f framecrc /tmp/crc.$$
  sed -n 's/^#codec_id \([0-9]*\): /stream \1,/p' /tmp/hash.$$ | sed 's/$/,1\/1000/' > "$file.packets"
  sed 's/ //g' /tmp/crc.$$ | grep -v '^#' | awk '{ print (/F=0x0/ ? "__" : "K_") }' > /tmp/keys.$$
  sed 's/ //g' /tmp/hash.$$ | grep -v '^#' | paste -d, - /tmp/keys.$$ |
    awk -F, '$5 > 0 { print $1 "," $3 "," $2 "," $5 "," $7 ",adler32:" $6 }' >> "$file.packets"
  rm /tmp/hash.$$ /tmp/crc.$$ /tmp/keys.$$
done
