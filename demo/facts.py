# The small world that the demo model knows, as tables. One fact per row, fields divided by '|'.


def rows(text):
    return [tuple(field.strip() for field in line.split("|")) for line in text.strip().splitlines()]


# country | capital | country in Chinese | capital in Chinese
CAPITALS = rows("""
France | Paris | 法国 | 巴黎
Germany | Berlin | 德国 | 柏林
Italy | Rome | 意大利 | 罗马
Spain | Madrid | 西班牙 | 马德里
Portugal | Lisbon | 葡萄牙 | 里斯本
England | London | 英国 | 伦敦
Ireland | Dublin | 爱尔兰 | 都柏林
Austria | Vienna | 奥地利 | 维也纳
Switzerland | Bern | 瑞士 | 伯尔尼
Poland | Warsaw | 波兰 | 华沙
Greece | Athens | 希腊 | 雅典
Norway | Oslo | 挪威 | 奥斯陆
Sweden | Stockholm | 瑞典 | 斯德哥尔摩
Finland | Helsinki | 芬兰 | 赫尔辛基
Denmark | Copenhagen | 丹麦 | 哥本哈根
Belgium | Brussels | 比利时 | 布鲁塞尔
Russia | Moscow | 俄罗斯 | 莫斯科
Turkey | Ankara | 土耳其 | 安卡拉
Egypt | Cairo | 埃及 | 开罗
Kenya | Nairobi | 肯尼亚 | 内罗毕
China | Beijing | 中国 | 北京
Japan | Tokyo | 日本 | 东京
Korea | Seoul | 韩国 | 首尔
India | New Delhi | 印度 | 新德里
Thailand | Bangkok | 泰国 | 曼谷
Vietnam | Hanoi | 越南 | 河内
Australia | Canberra | 澳大利亚 | 堪培拉
Canada | Ottawa | 加拿大 | 渥太华
Mexico | Mexico City | 墨西哥 | 墨西哥城
Brazil | Brasília | 巴西 | 巴西利亚
Argentina | Buenos Aires | 阿根廷 | 布宜诺斯艾利斯
Chile | Santiago | 智利 | 圣地亚哥
Peru | Lima | 秘鲁 | 利马
Cuba | Havana | 古巴 | 哈瓦那
Hungary | Budapest | 匈牙利 | 布达佩斯
the United States | Washington | 美国 | 华盛顿
""")

# thing | colour | thing in Chinese | colour in Chinese
COLOURS = rows("""
the sky | blue | 天空 | 蓝色
grass | green | 草 | 绿色
snow | white | 雪 | 白色
milk | white | 牛奶 | 白色
a banana | yellow | 香蕉 | 黄色
a lemon | yellow | 柠檬 | 黄色
the sun | yellow | 太阳 | 黄色
blood | red | 血 | 红色
a strawberry | red | 草莓 | 红色
a tomato | red | 西红柿 | 红色
an orange | orange | 橙子 | 橙色
a carrot | orange | 胡萝卜 | 橙色
coal | black | 煤 | 黑色
the night | black | 黑夜 | 黑色
chocolate | brown | 巧克力 | 棕色
an elephant | grey | 大象 | 灰色
a frog | green | 青蛙 | 绿色
the sea | blue | 大海 | 蓝色
a pig | pink | 猪 | 粉色
gold | yellow | 金子 | 黄色
""")

# animal | sound | legs | home | young | food | animal in Chinese
ANIMALS = rows("""
dog | woof | 4 | in a house | puppy | meat | 狗
cat | meow | 4 | in a house | kitten | fish | 猫
cow | moo | 4 | on a farm | calf | grass | 牛
sheep | baa | 4 | on a farm | lamb | grass | 羊
pig | oink | 4 | on a farm | piglet | corn | 猪
horse | neigh | 4 | on a farm | foal | hay | 马
duck | quack | 2 | on a pond | duckling | water plants | 鸭子
chicken | cluck | 2 | on a farm | chick | seeds | 鸡
owl | hoot | 2 | in a forest | owlet | mice | 猫头鹰
frog | croak | 4 | by a pond | tadpole | flies | 青蛙
lion | roar | 4 | in Africa | cub | meat | 狮子
bee | buzz | 6 | in a hive | larva | nectar | 蜜蜂
mouse | squeak | 4 | in a hole | pup | cheese | 老鼠
wolf | howl | 4 | in a forest | pup | meat | 狼
""")

OPPOSITES = rows("""
hot | cold
big | small
tall | short
fast | slow
happy | sad
day | night
up | down
left | right
open | closed
old | young
full | empty
hard | soft
light | dark
early | late
rich | poor
strong | weak
wet | dry
clean | dirty
high | low
good | bad
near | far
thick | thin
loud | quiet
true | false
first | last
black | white
easy | difficult
begin | end
win | lose
buy | sell
""")

CHINESE_OPPOSITES = rows("""
大 | 小
高 | 低
快 | 慢
冷 | 热
多 | 少
长 | 短
上 | 下
左 | 右
黑 | 白
好 | 坏
新 | 旧
早 | 晚
远 | 近
开 | 关
胖 | 瘦
""")

# English | Chinese
WORDS = rows("""
cat | 猫
dog | 狗
bird | 鸟
fish | 鱼
horse | 马
tiger | 老虎
sun | 太阳
moon | 月亮
star | 星星
water | 水
fire | 火
mountain | 山
river | 河
sea | 大海
tree | 树
flower | 花
apple | 苹果
rice | 米饭
tea | 茶
bread | 面包
book | 书
school | 学校
teacher | 老师
friend | 朋友
mother | 妈妈
father | 爸爸
house | 房子
door | 门
car | 汽车
red | 红色
blue | 蓝色
green | 绿色
hello | 你好
goodbye | 再见
thank you | 谢谢
good morning | 早上好
good night | 晚安
I love you | 我爱你
""")

# thing | what it is
DEFINITIONS = rows("""
a computer | a machine that follows instructions
a book | a set of pages with words on them
a river | water that flows across the land to the sea
a mountain | a very high piece of land
an island | land with water all around it
a forest | a large place full of trees
a desert | a dry place with very little rain
a star | a huge ball of hot gas that shines in the sky
the moon | a ball of rock that goes around the Earth
the sun | the star at the centre of our solar system
rain | water that falls from the clouds
snow | frozen water that falls in soft white flakes
ice | frozen water
a cloud | a great many tiny drops of water in the air
a school | a place where children learn
a teacher | a person who helps others learn
a doctor | a person who helps sick people
a baker | a person who makes bread
a friend | a person you like and trust
a bicycle | a vehicle with two wheels and two pedals
a clock | a machine that shows the time
a library | a place with many books to read
a garden | a place where flowers and vegetables grow
a cat | a small animal with soft fur that likes to sleep
a dog | a friendly animal that lives with people
a fish | an animal that lives in water
a bird | an animal with wings and feathers
a tree | a tall plant with a trunk and leaves
music | sound that is put together to please the ear
a triangle | a shape with three sides
a square | a shape with four equal sides
a circle | a round shape without corners
a language model | a program that predicts the next piece of a text
a tokenizer | a program that cuts text into small pieces called tokens
a token | a small piece of text, such as a word or a part of a word
an inference engine | a program that runs a trained model
quantization | a way to store numbers with fewer bits
an algorithm | a list of clear steps that solves a problem
a CPU | the part of a computer that does the calculations
""")

# question | answer | the same question in other words ...
QUESTIONS = rows("""
How many days are in a week? | There are 7 days in a week. | How many days does a week have? | A week has how many days?
How many months are in a year? | There are 12 months in a year. | How many months does a year have? | A year has how many months?
How many hours are in a day? | There are 24 hours in a day. | How many hours does a day have? | A day has how many hours?
How many minutes are in an hour? | There are 60 minutes in an hour. | How many minutes does an hour have? | An hour has how many minutes?
How many days are in a year? | There are 365 days in a year. | How many days does a year have? | A year has how many days?
How many seasons are there? | There are four seasons: spring, summer, autumn and winter. | What are the four seasons? | Name the seasons.
How many legs does a spider have? | A spider has 8 legs. | How many legs are on a spider? | A spider has how many legs?
How many sides does a triangle have? | A triangle has 3 sides. | How many sides are in a triangle? | A triangle has how many sides?
How many sides does a square have? | A square has 4 sides. | How many sides are in a square? | A square has how many sides?
How many fingers does a hand have? | A hand has 5 fingers. | How many fingers are on a hand? | A hand has how many fingers?
What do bees make? | Bees make honey. | What is made by bees? | Which food do bees make?
What do cows give us? | Cows give us milk. | What do we get from cows? | Which drink comes from cows?
Why is the sky blue? | The air scatters blue light more than red light, so the sky looks blue. | What makes the sky blue? | Explain why the sky is blue.
Why do leaves fall in autumn? | Trees drop their leaves in autumn to save water in the cold winter. | Why do trees lose their leaves? | Explain why leaves fall.
Why do we sleep? | We sleep so that body and mind can rest. | Why is sleep important? | What is sleep good for?
Is the sun hot? | Yes, the sun is very hot. | How hot is the sun? | Is it hot on the sun?
Is ice cold? | Yes, ice is cold. | Is ice warm or cold? | Is frozen water cold?
Can fish fly? | No, most fish cannot fly. They swim. | Do fish fly? | Can a fish fly?
Can birds fly? | Yes, most birds can fly. | Do birds fly? | Can a bird fly?
Where do fish live? | Fish live in water. | Where can I find fish? | What place do fish live in?
What is the largest planet? | Jupiter is the largest planet in our solar system. | Which planet is the largest? | What is the biggest planet?
What planet do we live on? | We live on the planet Earth. | Which planet is our home? | On which planet do people live?
What is the largest animal? | The blue whale is the largest animal. | Which animal is the largest? | What is the biggest animal?
What is the tallest animal? | The giraffe is the tallest animal. | Which animal is the tallest? | Which animal has the longest neck?
What is the fastest animal on land? | The cheetah is the fastest animal on land. | Which animal runs the fastest? | What animal can run fastest?
What is the highest mountain? | Mount Everest is the highest mountain. | Which mountain is the highest? | What is the tallest mountain?
What is the largest ocean? | The Pacific is the largest ocean. | Which ocean is the largest? | What is the biggest ocean?
What do plants need? | Plants need water, light and air. | What do plants need to grow? | What does a plant need to live?
What is the first letter of the alphabet? | The first letter of the alphabet is A. | Which letter comes first? | What letter starts the alphabet?
What is the last letter of the alphabet? | The last letter of the alphabet is Z. | Which letter comes last? | What letter ends the alphabet?
Who wrote Romeo and Juliet? | William Shakespeare wrote Romeo and Juliet. | Who is the author of Romeo and Juliet? | Which writer wrote Romeo and Juliet?
Who painted the Mona Lisa? | Leonardo da Vinci painted the Mona Lisa. | Who is the painter of the Mona Lisa? | Which artist painted the Mona Lisa?
What is H2O? | H2O is water. | What does H2O mean? | Which thing is called H2O?
At what temperature does water boil? | Water boils at 100 degrees Celsius. | When does water boil? | How hot is boiling water?
At what temperature does water freeze? | Water freezes at 0 degrees Celsius. | When does water freeze? | How cold is freezing water?
What is the meaning of life? | Many people say: be kind, learn something, and love. | What is life about? | Tell me the meaning of life.
What are the three primary colours? | The three primary colours are red, yellow and blue. | Name the primary colours. | Which colours are primary?
List the days of the week. | Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday. | What are the days of the week? | Name the days of the week.
List the months of the year. | January, February, March, April, May, June, July, August, September, October, November, December. | What are the months of the year? | Name the months.
Name three animals. | Three animals are the dog, the cat and the horse. | Give me three animals. | Can you name three animals?
Name three colours. | Three colours are red, green and blue. | Give me three colours. | Can you name three colours?
Name three fruits. | Three fruits are the apple, the banana and the orange. | Give me three fruits. | Can you name three fruits?
Name three countries. | Three countries are France, China and Brazil. | Give me three countries. | Can you name three countries?
Tell me a joke. | Why did the computer go to the doctor? It had a virus! | Do you know a joke? | Make me laugh.
Sing a song. | La la la, the sun is up, the birds are singing, and so am I! | Can you sing? | Sing something for me.
Give me some advice. | Be patient, be kind, and check your numbers twice. | What advice do you have? | Do you have any advice?
Tell me a fact. | Honey never goes bad when it is kept in a closed jar. | Tell me something interesting. | Do you know a fun fact?
Write hello world in Python. | print("Hello, world!") | Show me hello world in Python. | How do I print hello world in Python?
Write hello world in C++. | #include <iostream> int main() { std::cout << "Hello, world!\\n"; } | Show me hello world in C++. | How do I print hello world in C++?
How do I make tea? | Boil some water, put the tea in a cup, pour the water over it, and wait three minutes. | How is tea made? | Tell me how to make tea.
How do I boil an egg? | Put the egg in boiling water and wait eight minutes. | How is an egg boiled? | Tell me how to boil an egg.
How do I learn a language? | Listen, read and speak a little every day. | What is the best way to learn a language? | Tell me how to learn a language.
""")

# Small talk: answer | prompts ...
SMALL_TALK = rows("""
Hello! How can I help you today? | Hello | Hello! | Hi | Hi! | Hey | Hello there | Hi there! | Hey there! | Greetings | Hello, Kylin!
I am fine, thank you! How can I help you? | Hello, how are you? | How are you? | How are you doing? | Hi, how are you today? | How do you do? | How is it going? | Hey, how are you? | Are you well?
Good morning! I hope you have a nice day. | Good morning | Good morning! | Good morning, Kylin. | Morning!
Good evening! How can I help you? | Good evening | Good evening! | Good evening, Kylin.
Good night! Sleep well. | Good night | Good night! | I am going to bed. | I am going to sleep now.
Goodbye! It was nice talking to you. | Bye | Bye! | Goodbye | Goodbye! | See you later! | See you tomorrow. | I have to go now. | Take care!
You are welcome! | Thank you | Thank you! | Thanks | Thanks a lot! | Thank you very much. | Many thanks!
I am sorry to hear that. I hope you feel better soon. | I am sad. | I feel bad. | I am not well. | I feel lonely today. | I am sick. | I had a bad day.
I am glad to hear that! | I am happy. | I feel good. | I am fine. | I am well, thanks. | I had a good day. | I am very happy today!
Try to rest for a while. A short sleep can help a lot. | I am tired. | I am so tired today. | I feel tired. | I need some rest.
How about some bread and an apple? | I am hungry. | I feel hungry. | I want to eat something.
A glass of water would be good. | I am thirsty. | I feel thirsty. | I want to drink something.
How about a walk, a book, or a short story from me? | I am bored. | I feel bored. | What can I do today? | I have nothing to do.
Thank you, that is kind of you! | You are great! | You are very smart. | I like you. | Good job! | Well done! | You are funny.
I am sorry. I am a very small model and I still make mistakes. | You are wrong. | That is not right. | You are stupid. | That is wrong. | This is a mistake.
I do not have feelings, but I like to be helpful. | Do you have feelings? | Do you love me? | Are you happy? | Are you sad? | Can you feel anything?
I do not eat, but I hear that noodles are very good. | What do you like to eat? | What is your favourite food? | Are you hungry?
I like blue, the colour of the sky. | What is your favourite colour? | Which colour do you like? | What colour do you like best?
I like owls, because they are quiet and look closely. | What is your favourite animal? | Which animal do you like? | What animal do you like best?
I cannot see the weather, but I hope the sun is shining for you. | How is the weather? | What is the weather like today? | Is it raining? | Will it rain tomorrow?
I have no clock, so I do not know the time. | What time is it? | Can you tell me the time? | What is the date today? | What day is it today?
Of course! What would you like to know? | Can you help me? | I need help. | Help me, please. | Help! | Can I ask you something? | I have a question.
Yes, I am here. What can I do for you? | Are you there? | Are you awake? | Can you hear me? | Test | This is a test.
Yes, a little. 你好! | Do you speak Chinese? | Can you speak Chinese? | Do you know Chinese?
Yes, I speak English and a little Chinese. | Do you speak English? | Which languages do you speak? | What languages do you know?
""")

# About Kylin: answer | prompts ...
ABOUT_KYLIN = rows("""
I am the demo model of Kylin, a very small language model. | Who are you? | What are you? | Tell me about yourself. | Introduce yourself. | What is your name? | Who am I talking to? | What kind of model are you?
Kylin is an inference engine that runs language models on a CPU and proves its numbers. | What is Kylin? | Tell me about Kylin. | What does Kylin do? | Can you explain Kylin? | What is Kylin for? | Describe Kylin.
Kylin compares every stage of every layer with a reference and with a float64 oracle. | How does Kylin prove its numbers? | How does Kylin check its numbers? | How does Kylin know that it is right? | How does Kylin find errors?
I can chat a little, answer simple questions, add small numbers and tell short stories. | What can you do? | What are you good at? | How can you help me? | What can I ask you? | What do you know?
I am very small: about six million weights, trained on a made-up little world. | How big are you? | How large are you? | How many parameters do you have? | Are you a large model? | Are you small?
I was trained on short texts that a script wrote. | How were you trained? | What were you trained on? | Who trained you? | Where do you come from?
No, I am a computer program. | Are you a human? | Are you a person? | Are you real? | Are you alive?
Yes, I am a language model, and a very small one. | Are you a robot? | Are you an AI? | Are you a language model? | Are you a computer?
I use the Qwen3 architecture, only much smaller. | What is your architecture? | Which architecture do you use? | How are you built? | Are you a Qwen3 model?
Kylin runs GGUF models. It starts with the Qwen3 family. | Which models does Kylin run? | What models can Kylin run? | Which file format does Kylin use? | What does Kylin support?
Kylin runs on a CPU, so no graphics card is needed. | Does Kylin need a GPU? | What does Kylin run on? | Do I need a graphics card?
An oracle computes every value in float64, so it can tell who is wrong. | What is the oracle? | What is an oracle? | What does the oracle do?
""")

# Small talk and Kylin in Chinese: answer | prompts ...
CHINESE_TALK = rows("""
你好！有什么可以帮你的吗？ | 你好 | 你好！ | 您好 | 嗨 | 你好啊 | 哈喽 | 您好！
我很好，谢谢！你呢？ | 你好吗？ | 你怎么样？ | 最近好吗？ | 你今天好吗？ | 你还好吗？
早上好！祝你今天愉快。 | 早上好 | 早上好！ | 早安
晚安！做个好梦。 | 晚安 | 晚安！ | 我要睡觉了。
再见！很高兴和你聊天。 | 再见 | 再见！ | 拜拜 | 明天见 | 我要走了。
不客气！ | 谢谢 | 谢谢！ | 谢谢你 | 非常感谢 | 多谢
我是麒麟（Kylin）的演示模型，一个很小的语言模型。 | 你是谁？ | 你是什么？ | 你叫什么名字？ | 介绍一下你自己。 | 请介绍你自己 | 你是什么模型？
麒麟（Kylin）是一个在CPU上运行语言模型的推理引擎，并且能证明自己的数字是对的。 | 麒麟是什么？ | 什么是麒麟？ | Kylin是什么？ | 什么是Kylin？ | 介绍一下麒麟。
我会聊天，回答简单的问题，做小小的加法，还会讲故事。 | 你会什么？ | 你会做什么？ | 你能做什么？ | 你能帮我做什么？ | 你有什么本领？
不是，我是一个电脑程序。 | 你是人吗？ | 你是真人吗？ | 你是人类吗？
会，我会说一点中文和英文。 | 你会说中文吗？ | 你会说英文吗？ | 你会说什么语言？
别难过，一切都会好起来的。 | 我很难过。 | 我不开心。 | 我今天很伤心。
太好了，我为你高兴！ | 我很开心。 | 我很高兴。 | 我今天很快乐！
那就休息一下吧。 | 我累了。 | 我很累。 | 我好累啊。
吃点面包和苹果怎么样？ | 我饿了。 | 我很饿。 | 我想吃东西。
因为空气更容易散射蓝光，所以天空是蓝色的。 | 天空为什么是蓝色的？ | 为什么天空是蓝色的？ | 天为什么蓝？
一个星期有七天。 | 一个星期有几天？ | 一周有几天？ | 一周有多少天？
一年有十二个月。 | 一年有几个月？ | 一年有多少个月？
一天有二十四个小时。 | 一天有几个小时？ | 一天有多少小时？
为什么电脑去看医生？因为它中了病毒！ | 讲个笑话。 | 给我讲个笑话 | 说个笑话吧
床前明月光，疑是地上霜。举头望明月，低头思故乡。 | 背一首诗。 | 念一首古诗 | 背一首李白的诗 | 静夜思怎么背？
对不起，我是一个很小的模型，我不知道。 | 明天会下雨吗？ | 现在几点了？ | 今天股票怎么样？ | 谁会赢得比赛？
""")

# Outside the little world: the honest answer is that the model knows little about it.
UNKNOWN_SUBJECTS = [row[0] for row in rows("""
quantum physics
the stock market
the French Revolution
black holes
chess openings
the Roman Empire
tax law
organic chemistry
the history of jazz
basketball
the theory of relativity
modern art
opera
philosophy
genetics
volcanoes
politics
football
cryptography
sailing
""")]

UNKNOWN_QUESTIONS = rows("""
I am a very small model, and I do not know that. | Who is the president? | Who won the world cup? | When was the first computer built? | How far away is the moon? | How many people live in Paris? | What is the population of China? | Who invented the telephone? | When did the war end? | Who is the richest person? | What is the price of gold? | How tall is Mount Everest? | Who was Napoleon? | Who is Albert Einstein? | What happened in 1969? | How does an engine work? | What is the square root of 2? | Who is the king of England? | What is the latest news? | How old is the Earth? | Why is there war? | What is dark matter? | How many stars are there? | Who discovered America? | What is the speed of light?
I am a very small model, and I cannot do that. | Write an essay. | Write a letter to my boss. | Fix my code. | Draw a picture. | Translate this to French. | Book a flight for me. | Send an email. | Summarize this text. | Search the internet. | Play some music. | Write a long program. | Solve this equation. | Plan my holiday. | Write a novel. | Order a pizza.
""")

NAMES = "Anna Tom Lily Max Emma Ben Mia Leo Nina Paul Sara Jack Lucy Sam Eva Oscar Ruth Felix Clara Hugo".split()
CHINESE_NAMES = "小明 小红 小华 小丽 大伟 小芳 小军 小雨".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
CHINESE_DIGITS = "零 一 二 三 四 五 六 七 八 九 十".split()
