//! Emoji by name, the commonest first.

use crate::markdown::Renderer;

/// Names and emoji, in the order in which they are offered.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    let list = Renderer::there().map_or("", |chunk| (chunk.emoji)());
    list.split_whitespace().filter_map(|entry| entry.split_once('='))
}

/// The list: as long as all the rest of a completion, and so in the chunk.
pub fn list() -> &'static str {
    EMOJI
}

// One text: as pairs of slices the addresses alone would be more than the names.
const EMOJI: &str = "\
+1=👍 thumbsup=👍 heart=❤️ smile=😄 tada=🎉 party=🎉 eyes=👀 check=✅ done=✅ joy=😂 laughing=😆 rofl=🤣 fire=🔥 \
rocket=🚀 thinking=🤔 pray=🙏 thanks=🙏 clap=👏 wave=👋 ok_hand=👌 muscle=💪 100=💯 -1=👎 thumbsdown=👎 \
slightly_smiling=🙂 wink=😉 blush=😊 grin=😁 grinning=😀 sweat_smile=😅 heart_eyes=😍 star_struck=🤩 kissing_heart=😘 \
yum=😋 sunglasses=😎 nerd=🤓 smirk=😏 neutral_face=😐 expressionless=😑 unamused=😒 rolling_eyes=🙄 relieved=😌 \
pensive=😔 sleepy=😪 sleeping=😴 mask=😷 sick=🤒 dizzy=😵 exploding_head=🤯 cowboy=🤠 partying_face=🥳 \
confused=😕 worried=😟 open_mouth=😮 astonished=😲 flushed=😳 pleading=🥺 cry=😢 sob=😭 scream=😱 disappointed=😞 \
tired=😫 yawning=🥱 angry=😠 rage=😡 skull=💀 poop=💩 clown=🤡 ghost=👻 alien=👽 robot=🤖 hug=🤗 shushing=🤫 \
zipper_mouth=🤐 upside_down=🙃 melting=🫠 salute=🫡 shrug=🤷 facepalm=🤦 point_up=☝️ point_right=👉 point_left=👈 \
point_down=👇 crossed_fingers=🤞 victory=✌️ handshake=🤝 raised_hands=🙌 writing_hand=✍️ broken_heart=💔 \
orange_heart=🧡 yellow_heart=💛 green_heart=💚 blue_heart=💙 purple_heart=💜 black_heart=🖤 sparkles=✨ star=⭐ \
zap=⚡ boom=💥 bulb=💡 warning=⚠️ question=❓ exclamation=❗ cross=❌ no_entry=⛔ stop=🛑 construction=🚧 sos=🆘 \
white_check_mark=✅ heavy_check_mark=✔️ arrow_right=➡️ arrow_left=⬅️ arrow_up=⬆️ arrow_down=⬇️ repeat=🔁 \
bug=🐛 wrench=🔧 hammer=🔨 gear=⚙️ lock=🔒 key=🔑 link=🔗 pushpin=📌 paperclip=📎 memo=📝 book=📖 books=📚 \
calendar=📅 chart=📈 mailbox=📫 email=📧 phone=📱 computer=💻 keyboard=⌨️ printer=🖨️ camera=📷 tv=📺 bell=🔔 \
mute=🔇 loudspeaker=📢 hourglass=⌛ alarm_clock=⏰ stopwatch=⏱️ money=💰 gift=🎁 balloon=🎈 cake=🎂 confetti=🎊 \
trophy=🏆 medal=🏅 dart=🎯 game=🎮 guitar=🎸 music=🎵 art=🎨 soccer=⚽ bike=🚲 car=🚗 train=🚆 plane=✈️ ship=🚢 \
house=🏠 office=🏢 tent=⛺ beach=🏖️ mountain=⛰️ world=🌍 sun=☀️ moon=🌙 cloud=☁️ rain=🌧️ snow=❄️ umbrella=☂️ \
rainbow=🌈 ocean=🌊 tree=🌳 seedling=🌱 herb=🌿 flower=🌸 rose=🌹 four_leaf_clover=🍀 dog=🐶 cat=🐱 mouse=🐭 \
fox=🦊 bear=🐻 panda=🐼 pig=🐷 frog=🐸 monkey=🐒 see_no_evil=🙈 chicken=🐔 penguin=🐧 duck=🦆 owl=🦉 bee=🐝 \
butterfly=🦋 snail=🐌 crab=🦀 octopus=🐙 whale=🐳 fish=🐟 turtle=🐢 snake=🐍 unicorn=🦄 elephant=🐘 \
coffee=☕ tea=🍵 beer=🍺 beers=🍻 wine=🍷 cocktail=🍸 champagne=🍾 apple=🍎 banana=🍌 strawberry=🍓 lemon=🍋 \
avocado=🥑 bread=🍞 cheese=🧀 egg=🥚 pizza=🍕 hamburger=🍔 fries=🍟 taco=🌮 sushi=🍣 ramen=🍜 salad=🥗 \
popcorn=🍿 cookie=🍪 doughnut=🍩 chocolate=🍫 ice_cream=🍨";
